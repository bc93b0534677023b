// Lays out every slide before reveal.js starts: a picture over or beside its text,
// wherever it comes out larger, in the largest type that costs it nothing.
// Everything is measured, in the pixels of the 1280×720 sheet.
const TYPE = { // text, code
  picture: [[40, 24], [37, 24], [34, 24], [32, 24], [30, 24], [28, 24], [26, 24], [24, 24]],
  message: [30, 28, 26, 24, 22, 20].flatMap(code => [36, 32, 28, 26].map(text => [text, code])),
  below: [[28, 24], [28, 23], [28, 22], [28, 21], [28, 20], [26, 20], [24, 20], [22, 20]],
  other: [[40, 24], [38, 24], [36, 24], [34, 24], [32, 24], [30, 24], [28, 24], [26, 24]],
};
const COLUMNS = [280, 320, 360, 420, 480, 540]; // widths of the text beside a picture
const COSTS = 0.99; // of its greatest area, what a picture may give for larger type

function lay(body, {type: [text, code], column, wrapped}) {
  body.style.cssText = `--text: ${text}px; --code: ${code}px; --column: ${column}px`;
  body.classList.toggle('beside', column > 0);
  body.classList.toggle('wrapped', wrapped);
}

function fits(body) {
  return [body, body.firstElementChild].every(e => e.scrollHeight <= e.clientHeight)
    && [body, ...body.querySelectorAll('div, pre')].every(
      e => e.scrollWidth <= e.clientWidth);
}

// The area that a picture covers: its box may be larger than what is drawn in it.
function drawn(image) {
  const scale = Math.min(
    image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
  return scale * scale * image.naturalWidth * image.naturalHeight;
}

function fit(slide) {
  const body = slide.querySelector('.body');
  const figures = [...body.querySelectorAll('.figure')];
  const images = figures.map(figure => figure.querySelector('img'));
  const beside = slide.classList.contains('picture');
  const columns = images.length && beside && body.querySelector('.text, pre, .ruled, .verdict')
    ? [0, ...COLUMNS] : [0];
  figures.forEach((figure, n) => figure.style.setProperty('--nth', n));
  slide.style.setProperty('--figures', figures.length);
  const types = TYPE[slide.className.split(' ')[0]] || TYPE.other;
  for (const wrapped of [false, true]) { // lines of code broken where they must be
    const found = [];
    for (const type of types) for (const column of columns) {
      const layout = {type, column, wrapped};
      lay(body, layout);
      if (!fits(body)) continue;
      found.push({...layout, area: images.reduce((sum, e) => sum + drawn(e), 0)});
      if (!images.length) return;
    }
    const most = Math.max(...found.map(layout => layout.area));
    const best = found.find(layout => layout.area >= COSTS * most);
    if (best) return lay(body, best);
  }
}

function fitAll() {
  for (const slide of document.querySelectorAll('.slides section:not(:has(> section))')) {
    slide.classList.add('measured');
    fit(slide);
    slide.classList.remove('measured');
  }
}

const root = document.documentElement, printed = /print-pdf/.test(location.search);
root.classList.toggle(
  'dark', !printed && matchMedia('(prefers-color-scheme: dark)').matches);
window.addEventListener('load', () => { // figures have their sizes only now
  fitAll();
  Reveal.initialize({
    width: 1280, height: 720, margin: 0, center: false, display: 'flex',
    hash: true, transition: 'none', controlsTutorial: false, scrollActivationWidth: null,
    pdfSeparateFragments: false, plugins: [RevealNotes],
    keyboard: {68: () => root.classList.toggle('dark')}, // D
  });
  Reveal.on('pdf-ready', () => {
    // On paper a box that has shrunk to what is left would be as high as it likes.
    for (const box of document.querySelectorAll('.figure, .cell:has(> .figure)'))
      box.style.height = `${box.clientHeight}px`;
    root.classList.add('laid-out');
  });
});
