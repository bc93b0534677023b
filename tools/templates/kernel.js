// A kernel of nine numbers on a photograph, as a convolutional layer applies it.
const PRESETS = {
  'leave it': [0, 0, 0, 0, 1, 0, 0, 0, 0],
  'blur': Array(9).fill(0.11),
  'sharpen': [0, -1, 0, -1, 5, -1, 0, -1, 0],
  'edges, left to right': [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  'edges, top to bottom': [-1, -2, -1, 0, 0, 0, 1, 2, 1],
  'all edges': [-1, -1, -1, -1, 8, -1, -1, -1, -1],
  'emboss': [-2, -1, 0, -1, 1, 1, 0, 1, 2],
};
const $ = id => document.getElementById(id);
const kernel = [...PRESETS['edges, left to right']];
let pixels, width, height, result;

function convolve(image, wide, high, weights) {
  const out = new Float32Array((wide - 2) * (high - 2));
  for (let y = 0; y < high - 2; y++)
    for (let x = 0; x < wide - 2; x++) {
      let sum = 0;
      for (let i = 0; i < 9; i++)
        sum += weights[i] * image[(y + Math.floor(i / 3)) * wide + x + i % 3];
      out[y * (wide - 2) + x] = sum;
    }
  return out;
}

function paint(canvas, values, wide, high, grey) {
  canvas.width = wide;
  canvas.height = high;
  const picture = new ImageData(wide, high);
  values.forEach((value, i) => picture.data.set([grey(value), grey(value), grey(value), 255], 4 * i));
  canvas.getContext('2d').putImageData(picture, 0, 0);
}

function update() {
  result = convolve(pixels, width, height, kernel);
  if ($('relu').checked) result = result.map(value => Math.max(0, value));
  const [low, high] = result.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  // Signed maps are drawn around grey, others from black.
  const most = Math.max(-low, high, 1), signed = low < -1;
  const scale = signed ? 127.5 / most : Math.min(1, 255 / most);
  paint($('after'), result, width - 2, height - 2, value => (signed ? 127.5 : 0) + scale * value);
  $('range').textContent = `from ${Math.round(low)} to ${Math.round(high)}; ` +
    (signed ? 'grey is 0' : 'black is 0');
  document.querySelectorAll('#kernel input').forEach(input => {
    if (input != document.activeElement) input.value = kernel[input.dataset.at];
  });
}

function point(event) {
  const box = event.target.getBoundingClientRect(), canvas = event.target;
  const edge = canvas == $('before') ? 1 : 0;
  const inside = (part, most) => Math.min(most - 1, Math.max(0, Math.floor(part)));
  const x = inside((event.clientX - box.left) / box.width * canvas.width - edge, width - 2);
  const y = inside((event.clientY - box.top) / box.height * canvas.height - edge, height - 2);
  const terms = kernel.map((weight, i) =>
    `${weight < 0 ? `(${weight})` : weight}·${pixels[(y + Math.floor(i / 3)) * width + x + i % 3]}`);
  $('sum').textContent = `Row ${y}, column ${x}: ${terms.join(' + ')}` +
    `${$('relu').checked ? ', and ReLU,' : ''} = ${+result[y * (width - 2) + x].toFixed(2)}`;
}

for (const [name, weights] of Object.entries(PRESETS)) {
  const button = document.createElement('button');
  button.textContent = name;
  button.onclick = () => { kernel.splice(0, 9, ...weights); update(); };
  $('presets').append(button);
}
kernel.forEach((_, i) => {
  const label = document.createElement('label');
  for (const type of ['number', 'range']) {
    const input = Object.assign(document.createElement('input'), {type, min: -10, max: 10, step: type == 'range' ? 0.1 : 'any'});
    input.dataset.at = i;
    input.setAttribute('aria-label', `row ${Math.floor(i / 3)}, column ${i % 3}`);
    input.oninput = () => {
      if (!Number.isFinite(input.valueAsNumber)) return;
      kernel[i] = input.valueAsNumber;
      update();
    };
    label.append(input);
  }
  $('kernel').append(label);
});
$('relu').onchange = update;
for (const canvas of [$('before'), $('after')]) canvas.onpointermove = canvas.onclick = point;

const image = new Image();
image.onload = () => {
  [width, height] = [image.width, image.height];
  const sheet = Object.assign(document.createElement('canvas'), {width, height}).getContext('2d');
  sheet.drawImage(image, 0, 0);
  const {data} = sheet.getImageData(0, 0, width, height);
  pixels = Float32Array.from({length: width * height}, (_, i) => data[4 * i]);
  paint($('before'), pixels, width, height, value => value);
  update();
  document.body.dataset.ready = 'yes';
};
image.src = PHOTOGRAPH;
