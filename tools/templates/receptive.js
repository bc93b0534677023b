// Sizes and receptive fields of stacked windows along one axis: cnnlib's formula.
const layer = (kernel, stride = 1, padding = 'valid', dilation = 1) => ({kernel, stride, padding, dilation});
const PRESETS = {
  'three 3s, as VGG stacks them': [15, [layer(3), layer(3), layer(3)]],
  'one 7 instead': [15, [layer(7)]],
  'padded: the size stays': [15, [layer(3, 1, 'same'), layer(3, 1, 'same')]],
  'strides multiply': [31, [layer(3, 2), layer(3, 2), layer(3)]],
  'dilation 1, 2, 4': [31, [layer(3), layer(3, 1, 'valid', 2), layer(3, 1, 'valid', 4)]],
  'convolution and pooling, twice': [32, [layer(5), layer(2, 2), layer(5), layer(2, 2)]],
};
const KNOBS = {kernel: [1, 11], stride: [1, 4], dilation: [1, 4]};
const MOST = 8; // layers
const $ = id => document.getElementById(id);
let n, layers;

// What unit 0 sees along the axis, and how many units there are.
function through({size, stride, start, places}, {kernel, stride: step, padding, dilation}) {
  const span = dilation * (kernel - 1) + 1, same = padding == 'same';
  const after = same ? Math.ceil(places / step) : Math.floor((places - span) / step) + 1;
  const before = same ? Math.floor(Math.max((after - 1) * step + span - places, 0) / 2) : 0;
  return {size: size + (span - 1) * stride, stride: stride * step, start: start - before * stride, places: after, before};
}

function stack(pixels, stacked) {
  const axes = [{size: 1, stride: 1, start: 0, places: pixels, before: 0}];
  for (const one of stacked) axes.push(through(axes.at(-1), one));
  return axes;
}

// For each layer, from the pixels on, the units that one unit of the last depends on.
function seen(axes, stacked, unit) {
  const found = [new Set([unit])];
  for (let l = stacked.length - 1; l >= 0; l--) {
    const {kernel, stride, dilation} = stacked[l], below = new Set();
    for (const i of found[0])
      for (let t = 0; t < kernel; t++) {
        const at = i * stride - axes[l + 1].before + t * dilation;
        if (at >= 0 && at < axes[l].places) below.add(at);
      }
    found.unshift(below);
  }
  return found;
}

function draw(axes, found) {
  const cell = 20, row = 52, wide = n * cell, parts = [];
  const centre = (l, i) => cell * (axes[l].start + i * axes[l].stride + axes[l].size / 2);
  const high = (axes.length - 1) * row + cell + 4;
  const y = l => high - cell - 2 - l * row;
  axes.forEach((axis, l) => {
    for (let i = 0; l && i < axis.places; i++) {
      if (!found[l].has(i)) continue;
      const {kernel, stride, dilation} = layers[l - 1];
      for (let t = 0; t < kernel; t++) {
        const at = i * stride - axis.before + t * dilation;
        if (at >= 0 && at < axes[l - 1].places)
          parts.push(`<line x1="${centre(l, i)}" y1="${y(l) + cell}" x2="${centre(l - 1, at)}" y2="${y(l - 1)}"/>`);
      }
    }
    for (let i = 0; i < axis.places; i++)
      parts.push(`<rect x="${centre(l, i) - cell / 2 + 1}" y="${y(l)}" width="${cell - 2}" height="${cell - 2}" rx="3" class="${found[l].has(i) ? 'on' : ''}"/>`);
  });
  $('picture').innerHTML = `<svg viewBox="0 0 ${wide} ${high}" style="max-height: 28rem" role="img" aria-label="${$('said').textContent}">
    <style>rect { fill: var(--wash); stroke: var(--soft) } rect.on { fill: var(--bar); stroke: var(--bar) } line { stroke: var(--bar); stroke-opacity: .35; stroke-width: 1.5 }</style>
    ${parts.join('')}</svg>`;
}

function update() {
  const axes = stack(n, layers), short = axes.findIndex(axis => axis.places < 1);
  $('n').value = n;
  $('n-told').value = n;
  $('more').disabled = layers.length >= MOST;
  $('less').disabled = layers.length < 2;
  $('table').innerHTML = axes.slice(0, short < 0 ? axes.length : short).map((axis, l) =>
    `<tr><td>${l || 'pixels'}</td>` + ['places', 'size', 'stride', 'start'].map(
      key => `<td class="number">${axis[key]}</td>`).join('') + '</tr>').join('');
  if (short >= 0) {
    const {kernel, dilation} = layers[short - 1];
    $('said').textContent = `Layer ${short} has no place to stand: its window reaches ${dilation * (kernel - 1) + 1}, and only ${axes[short - 1].places} are there.`;
    $('picture').innerHTML = '';
    return;
  }
  const last = axes.at(-1), unit = Math.min(Number($('unit').value), last.places - 1);
  $('unit').max = last.places - 1;
  $('unit').value = unit;
  $('unit-told').value = `${unit} of 0 to ${last.places - 1}`;
  const found = seen(axes, layers, unit);
  const first = Math.max(0, last.start + unit * last.stride);
  const end = Math.min(n, last.start + unit * last.stride + last.size) - 1;
  $('said').textContent = `From ${n} pixels come ${last.places} ${last.places == 1 ? 'unit' : 'units'}; each sees ${last.size}. ` +
    `Unit ${unit} sees the pixels ${first} to ${end}${found[0].size < end - first + 1 ? ', with gaps' : ''}.`;
  draw(axes, found);
}

function rows() {
  $('layers').replaceChildren(...layers.map((one, l) => {
    const line = Object.assign(document.createElement('div'), {className: 'layer', textContent: `layer ${l + 1}`});
    for (const [key, [min, max]] of Object.entries(KNOBS)) {
      const input = Object.assign(document.createElement('input'), {type: 'number', min, max, value: one[key]});
      input.oninput = () => {
        const value = input.valueAsNumber;
        if (!Number.isInteger(value) || value < min || value > max) return;
        one[key] = value;
        update();
      };
      const label = Object.assign(document.createElement('label'), {textContent: key});
      label.append(input);
      line.append(label);
    }
    const choice = document.createElement('select');
    choice.setAttribute('aria-label', `padding of layer ${l + 1}`);
    for (const padding of ['valid', 'same']) choice.add(new Option(padding, padding, false, padding == one.padding));
    choice.onchange = () => { one.padding = choice.value; update(); };
    line.append(choice);
    return line;
  }));
  update();
}

function choose(name) {
  const [pixels, stacked] = PRESETS[name];
  [n, layers] = [pixels, stacked.map(one => ({...one}))];
  const units = stack(n, layers).at(-1).places;
  $('unit').max = units - 1;
  $('unit').value = Math.floor((units - 1) / 2);
  rows();
}

for (const name of Object.keys(PRESETS)) {
  const button = Object.assign(document.createElement('button'), {textContent: name});
  button.onclick = () => choose(name);
  $('presets').append(button);
}
$('n').oninput = () => { n = $('n').valueAsNumber; update(); };
$('unit').oninput = update;
$('more').onclick = () => { layers.push(layer(3)); rows(); };
$('less').onclick = () => { layers.pop(); rows(); };
choose('strides multiply');
document.body.dataset.ready = 'yes';
