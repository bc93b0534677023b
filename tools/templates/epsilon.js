// Precomputed pictures of one photograph, and what the network said of each.
const $ = id => document.getElementById(id);
const data = {}; // each picture's numbers, by its address

async function numbers(address) {
  if (!data[address]) {
    const image = Object.assign(new Image(), {src: address});
    await image.decode();
    const {width, height} = image;
    const sheet = Object.assign(document.createElement('canvas'), {width, height}).getContext('2d');
    sheet.drawImage(image, 0, 0);
    data[address] = sheet.getImageData(0, 0, width, height).data;
  }
  return data[address];
}

async function update() {
  const way = document.querySelector('input[name=way]:checked').value;
  const at = $('epsilon').valueAsNumber, {picture, top} = TOLD[way][at], epsilon = TOLD.epsilons[at];
  const percent = odds => odds < 0.001 ? 'under 0.1 %' : `${(100 * odds).toFixed(1)} %`;
  $('told').value = epsilon == 1 ? '1 grey level' : `${epsilon} grey levels`;
  $('picture').src = picture;
  $('picture').alt = `The cat, changed by at most ${epsilon} grey levels`;
  $('said').textContent = `The network sees: ${top[0][0]}, ${percent(top[0][1])}.`;
  $('top').innerHTML = top.map(([name, odds]) =>
    `<tr class="${name == 'ostrich' ? 'aimed' : ''}"><td>${name}</td><td><i style="width: ${Math.max(1, 100 * odds)}%"></i></td>` +
    `<td class="number">${percent(odds)}</td></tr>`).join('');
  const [before, after] = [await numbers(TOLD.attack[0].picture), await numbers(picture)];
  const change = new ImageData(224, 224);
  for (let i = 0; i < change.data.length; i++)
    change.data[i] = i % 4 == 3 ? 255 : 127.5 + 10 * (after[i] - before[i]);
  $('change').getContext('2d').putImageData(change, 0, 0);
  document.body.dataset.ready = 'yes';
}

$('epsilon').oninput = update;
document.querySelectorAll('input[name=way]').forEach(input => { input.onchange = update; });
update();
