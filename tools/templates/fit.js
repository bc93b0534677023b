// Lays out every slide before reveal.js starts: figures below or beside the text,
// wherever they come out larger, in the largest type that leaves them room.
// Everything is measured, in the pixels of the 1280×720 sheet.
const TYPE = [[28, 24], [28, 23], [28, 22], [28, 21], [28, 20], [26, 20]]; // text, code
const COLUMNS = [440, 500, 560, 620, 680, 740, 800]; // widths of the text beside a figure
const HIGH = 340, WIDE = 1100; // a figure lower and narrower is worth smaller type
const BESIDE = 1.15; // a figure must be so much larger to stand beside its text

function lay(body, [text, code], column, wrapped) {
  body.style.cssText = `--text: ${text}px; --code: ${code}px; --column: ${column}px`;
  body.classList.toggle('beside', column > 0);
  body.classList.toggle('wrapped', wrapped);
}

function fits(body) {
  return [body, body.firstElementChild].every(e => e.scrollHeight <= e.clientHeight)
    && [body, ...body.querySelectorAll('div, pre')].every(
      e => e.scrollWidth <= e.clientWidth);
}

// How many times its own size the smallest figure is drawn, and whether all are large.
function drawn(images) {
  const scales = images.map(e =>
    Math.min(e.clientWidth / e.naturalWidth, e.clientHeight / e.naturalHeight));
  const large = images.every((e, n) =>
    scales[n] * e.naturalHeight >= HIGH || scales[n] * e.naturalWidth >= WIDE);
  return {scale: Math.min(...scales), large};
}

function fit(slide) {
  const body = slide.querySelector('.body');
  const figures = [...body.querySelectorAll('.figure')];
  const images = figures.map(figure => figure.querySelector('img'));
  const columns = figures.length && body.querySelector('.text, pre, .verdict')
    ? [0, ...COLUMNS] : [0];
  figures.forEach((figure, n) => figure.style.setProperty('--nth', n));
  body.parentElement.style.setProperty('--figures', figures.length);
  const best = roomiest(body, images, columns, false)
    || roomiest(body, images, columns, true) // lines of code broken where they must be
    || {type: TYPE.at(-1), column: 0, wrapped: true};
  lay(body, best.type, best.column, best.wrapped);
}

// The layout with the largest figures, in the largest type in which they are large.
function roomiest(body, images, columns, wrapped) {
  let best = null;
  for (const type of TYPE) {
    for (const column of columns) {
      lay(body, type, column, wrapped);
      if (!fits(body)) continue;
      const {scale, large} = drawn(images);
      const worth = column ? scale : scale * BESIDE;
      // Of two columns that leave a figure its size, the wider one.
      const wider = best && column && best.type === type && worth === best.worth;
      if (!best || worth > best.worth || wider)
        best = {type, column, wrapped, worth, large};
    }
    if (best && best.large) break;
  }
  return best;
}

function fitAll() {
  for (const slide of document.querySelectorAll('section.slide, section.title')) {
    slide.classList.add('measured');
    fit(slide);
    slide.classList.remove('measured');
  }
}
