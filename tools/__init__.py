"""The course builder: executes and normalizes notebooks, makes pages and decks."""
