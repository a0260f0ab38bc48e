import type { Arrow, Floor, House, Wing } from './wings.ts';

// All lengths are pixels of the picture.
const WIDTH = 1080;
const MARGIN = 24;
const GUTTER = 44;
const PAD = 20;
const HEAD = 34;
const ROW_GAP = 42;
const BOX_GAP = 16;
const FLOOR_GAP = 52;
const LINE = 15;
const CHIP = 20;
const GUESTS_SHARE = 0.57;

interface Box {
  readonly wing: Wing;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

interface Band {
  readonly floor: Floor;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly rows: readonly (readonly Box[])[];
}

/** What is coloured: ground, ink, soft ink, box, line, what climbs; then for each floor its band, and its edges. */
type Palette = Readonly<Record<'ground' | 'ink' | 'soft' | 'box' | 'line' | 'bad', string>> & {
  readonly floors: Readonly<Record<string, readonly [band: string, edge: string]>>;
};

const LIGHT: Palette = {
  ground: '#ffffff',
  ink: '#1f2933',
  soft: '#52606d',
  box: '#ffffff',
  line: '#7b8a9a',
  bad: '#c62828',
  floors: {
    scenarios: ['#f3eefb', '#7e57c2'],
    guests: ['#eaf6ee', '#2e8b57'],
    store: ['#e9f1fc', '#2f6fd0'],
    sim: ['#fdf3e3', '#c77d0a'],
  },
};

const DARK: Palette = {
  ground: '#14181d',
  ink: '#e6ebf0',
  soft: '#a3b1bf',
  box: '#1d232a',
  line: '#7d8c9c',
  bad: '#ff7b72',
  floors: {
    scenarios: ['#251f33', '#b39ddb'],
    guests: ['#182a20', '#66bb8a'],
    store: ['#18243a', '#7fb0f5'],
    sim: ['#2f2615', '#e5a94a'],
  },
};

/** Plain colours, and no variables, which not every renderer knows. */
const colours = ({ ground, ink, soft, box, line, bad, floors }: Palette): string =>
  [
    `.ground { fill: ${ground}; }`,
    `text { fill: ${ink}; }`,
    `.about, .label { fill: ${soft}; }`,
    `.box { fill: ${box}; }`,
    `.arrow, .cross { stroke: ${line}; }`,
    `.head { fill: ${line}; }`,
    `.climb { stroke: ${bad}; }`,
    `.bad { fill: ${bad}; }`,
    ...Object.entries(floors).flatMap(([name, [band, edge]]) => [
      `.${name}.band { fill: ${band}; }`,
      `.${name}.chip { fill: ${edge}; }`,
      `.${name} { stroke: ${edge}; }`,
    ]),
  ].join('\n');

/** Light and dark, with a ground of its own, so that it reads on any page. */
const STYLE = `
text { font-family: system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif; }
.floor { font-size: 17px; font-weight: 700; }
.name { font-size: 14px; font-weight: 600; }
.about, .label { font-size: 11.5px; font-weight: 400; }
.small { font-size: 11px; }
.arrow, .climb, .cross { fill: none; }
.arrow { stroke-width: 1.5; marker-end: url(#head); }
.climb { stroke-width: 1.8; stroke-dasharray: 5 4; marker-end: url(#bad); }
.cross { stroke-width: 2.5; marker-end: url(#wide); }
.box { stroke-width: 1.2; }
.band { stroke-width: 1; stroke-opacity: 0.45; }
.chip { stroke-width: 0; fill-opacity: 0.16; }
${colours(LIGHT)}
@media (prefers-color-scheme: dark) {
${colours(DARK)}
}
`;

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** About how wide a text is: no font can be asked, and the same octets must come out everywhere. */
const widthOf = (text: string, size: number) => Math.ceil(text.length * size * 0.55);

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && widthOf(longer, 11.5) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** The names of the rooms in a wing, in lines. */
function chipLines(inner: readonly string[], width: number): string[][] {
  const lines: string[][] = [];
  let used = width;
  for (const name of inner) {
    const w = widthOf(name, 11) + 18;
    if (used + w > width) {
      lines.push([]);
      used = 0;
    }
    lines.at(-1)!.push(name);
    used += w;
  }
  return lines;
}

function heightOf(wing: Wing, width: number): number {
  const text = wrapped(wing.about, width - 20).length * LINE;
  return 30 + text + chipLines(wing.inner, width - 20).length * CHIP + (wing.inner.length > 0 ? 8 : 4);
}

function placed(floor: Floor, x: number, y: number, w: number): Band {
  let top = y + HEAD;
  const rows = floor.rows.map((row) => {
    const weight = (wing: Wing) => 1 + 0.12 * wing.inner.length;
    const total = row.reduce((sum, wing) => sum + weight(wing), 0);
    const room = w - 2 * PAD - BOX_GAP * (row.length - 1);
    const widths = row.map((wing) => Math.floor((room * weight(wing)) / total));
    widths[row.length - 1]! += room - widths.reduce((sum, each) => sum + each, 0);
    const h = Math.max(...row.map((wing, i) => heightOf(wing, widths[i]!)));
    let left = x + PAD;
    const boxes = row.map((wing, i) => {
      const box = { wing, x: left, y: top, w: widths[i]!, h };
      left += widths[i]! + BOX_GAP;
      return box;
    });
    top += h + ROW_GAP;
    return boxes;
  });
  return { floor, x, y, w, h: top - ROW_GAP + PAD - y, rows };
}

/** Ends of arrows on one side of a box: as near as can be to where they would like to be, and apart. */
function spread(wanted: readonly number[], low: number, high: number): number[] {
  const apart = Math.min(14, (high - low) / Math.max(1, wanted.length - 1));
  const order = wanted.map((x, i) => ({ x, i })).sort((a, b) => a.x - b.x || a.i - b.i);
  let last = low - apart;
  for (const each of order) last = each.x = Math.max(last + apart, Math.min(each.x, high));
  let next = high + apart;
  for (const each of order.toReversed()) next = each.x = Math.min(next - apart, each.x);
  const out: number[] = [];
  for (const { x, i } of order) out[i] = Math.round(x);
  return out;
}

/** Arrows of a floor: straight where the boxes lie above one another, through the gaps of the rows that they pass. */
function arrowPaths(band: Band, arrows: readonly Arrow[]): string[] {
  const boxes = new Map(band.rows.flatMap((row, at) => row.map((box) => [box.wing.path, { box, at }] as const)));
  const mine = arrows.filter(({ from, to }) => boxes.has(from) && boxes.has(to));
  const lanes = new Map<string, number>();
  const ways = mine.map(({ from, to, climbs }) => {
    const [a, b] = [boxes.get(from)!, boxes.get(to)!];
    const passed = band.rows.slice(Math.min(a.at, b.at) + 1, Math.max(a.at, b.at));
    const down = b.at > a.at;
    const [low, high] = [Math.max(a.box.x, b.box.x), Math.min(a.box.x + a.box.w, b.box.x + b.box.w)];
    const middle = (low + high) / 2; // of what they share, or of the gap between them
    const through = (down ? passed : passed.toReversed()).map((row) => ({ row, x: lane(row, band, middle, lanes) }));
    return { a: a.box, b: b.box, climbs, down, through, ends: [through[0]?.x ?? middle, through.at(-1)?.x ?? middle] };
  });
  for (const { box } of boxes.values())
    for (const top of [true, false]) {
      const at = ways.flatMap((way) => [
        ...(way.a === box && way.down !== top ? [{ way, end: 0 }] : []),
        ...(way.b === box && way.down === top ? [{ way, end: 1 }] : []),
      ]);
      const wanted = at.map(({ way, end }) => way.ends[end]!);
      const xs = spread(wanted, box.x + 14, box.x + box.w - 14);
      for (const [i, { way, end }] of at.entries()) way.ends[end] = xs[i]!;
    }
  return ways.map(({ a, b, climbs, down, through, ends }) => {
    const points: [number, number][] = [[ends[0]!, down ? a.y + a.h : a.y]];
    for (const { row, x } of through) {
      const [top, bottom] = [row[0]!.y - 8, row[0]!.y + row[0]!.h + 8];
      points.push([x, down ? top : bottom], [x, down ? bottom : top]);
    }
    points.push([ends[1]!, down ? b.y - 2 : b.y + b.h + 2]);
    return `<path class="${climbs ? 'climb' : 'arrow'}" d="${smooth(points)}"/>`;
  });
}

/** Where an arrow that passes a row goes through: the gap between its boxes that is nearest. */
function lane(row: readonly Box[], band: Band, wanted: number, lanes: Map<string, number>): number {
  const gaps = row.slice(1).map((box) => box.x - BOX_GAP / 2);
  gaps.push(band.x + band.w - PAD / 2, band.x + PAD / 2);
  const gap = gaps.reduce((best, x) => (Math.abs(x - wanted) < Math.abs(best - wanted) ? x : best));
  const key = `${row[0]!.y}/${gap}`;
  const taken = lanes.get(key) ?? 0;
  lanes.set(key, taken + 1);
  return Math.round(gap + (taken % 2 === 0 ? 1 : -1) * Math.ceil(taken / 2) * 5);
}

/** A line through points that leaves and reaches each of them upright. */
function smooth(points: readonly (readonly [number, number])[]): string {
  const [start, ...rest] = points as [readonly [number, number], ...(readonly [number, number])[]];
  let [x, y] = start;
  let path = `M${x} ${y}`;
  for (const [nx, ny] of rest) {
    const half = Math.round((y + ny) / 2);
    path += nx === x ? `V${ny}` : `C${x} ${half} ${nx} ${half} ${nx} ${ny}`;
    [x, y] = [nx, ny];
  }
  return path;
}

function bandText(band: Band): string[] {
  const { name } = band.floor;
  const out = [
    `<rect class="${name} band" x="${band.x}" y="${band.y}" width="${band.w}" height="${band.h}" rx="10"/>`,
    `<text class="floor" x="${band.x + PAD}" y="${band.y + 23}">${name}<tspan class="about" dx="10">${escaped(ABOUT[name] ?? '')}</tspan></text>`,
  ];
  return out;
}

function boxText(box: Box, floor: string): string[] {
  const { wing, x, y, w, h } = box;
  const out = [
    `<rect class="${floor} box" x="${x}" y="${y}" width="${w}" height="${h}" rx="6"/>`,
    `<text class="name" x="${x + 10}" y="${y + 20}">${escaped(wing.path.slice(floor.length + 1))}</text>`,
  ];
  let line = y + 36;
  for (const text of wrapped(wing.about, w - 20)) {
    out.push(`<text class="about" x="${x + 10}" y="${line}">${escaped(text)}</text>`);
    line += LINE;
  }
  for (const chips of chipLines(wing.inner, w - 20)) {
    let left = x + 10;
    for (const chip of chips) {
      const width = widthOf(chip, 11) + 12;
      out.push(
        `<rect class="${floor} chip" x="${left}" y="${line - 9}" width="${width}" height="16" rx="8"/>`,
        `<text class="small" x="${left + width / 2}" y="${line + 3}" text-anchor="middle">${escaped(chip)}</text>`,
      );
      left += width + 6;
    }
    line += CHIP;
  }
  return out;
}

const ABOUT: Readonly<Record<string, string>> = {
  scenarios: 'what to run, what goes wrong, how it is judged and told',
  guests: 'programs in domains',
  store: 'xenstored, and the laboratory of its image',
  sim: 'machines on one timeline: scheduler, memory, hypercalls, rings, sockets, trace, seed; imports nobody',
};

function cross(points: readonly (readonly [number, number])[], label: string, x: number, y: number, anchor = 'start') {
  const path = points.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${px} ${py}`).join('');
  return [
    `<path class="cross" d="${path}"/>`,
    `<text class="label" x="${x}" y="${y}" text-anchor="${anchor}">${escaped(label)}</text>`,
  ];
}

/** The house as a picture: SVG, the same octets for the same arrows, with a line feed at its end. Errors: none. */
export function pictureOf(house: House): string {
  const floor = (name: string) => house.floors.find((each) => each.name === name)!;
  const inner = WIDTH - 2 * MARGIN;
  const scenarios = placed(floor('scenarios'), MARGIN, MARGIN, inner);
  const below = scenarios.y + scenarios.h + FLOOR_GAP;
  const share = Math.round((inner - GUTTER) * GUESTS_SHARE);
  const guests = placed(floor('guests'), MARGIN, below, share);
  const store = placed(floor('store'), MARGIN + share + GUTTER, below, inner - GUTTER - share);
  const ground = below + Math.max(guests.h, store.h) + FLOOR_GAP;
  const sim = placed(floor('sim'), MARGIN, ground, inner);
  const bands = [scenarios, guests, store, sim];
  const height = sim.y + sim.h + 40;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">`,
    '<title id="title">The rooms of Xenarium and who imports whom, drawn from the imports</title>',
    `<style>${STYLE}</style>`,
    `<defs>${head('head', 'head', 7)}${head('bad', 'bad', 7)}${head('wide', 'head', 5)}</defs>`,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    ...bands.flatMap(bandText),
    ...bands.flatMap((band) => arrowPaths(band, house.arrows)),
    ...bands.flatMap((band) => band.rows.flat().flatMap((box) => boxText(box, band.floor.name))),
    ...crossings(house, { scenarios, guests, store, sim }),
    `<text class="label" x="${MARGIN}" y="${height - 14}">An arrow goes from who imports to what is imported; one that follows from others is left out. An import that climbs would be red.</text>`,
    '</svg>',
  ];
  return `${out.join('\n')}\n`;
}

function crossings(house: House, at: Readonly<Record<'scenarios' | 'guests' | 'store' | 'sim', Band>>): string[] {
  const bottom = (band: Band) => band.y + band.h;
  return house.crossings.flatMap(({ from, to, into }) => {
    const label = into.toSorted((a, b) => Number(b === 'index.ts') - Number(a === 'index.ts')).join(' · ');
    const lower = at[to as keyof typeof at];
    const upper = at[from as keyof typeof at];
    if (from === 'guests' && to === 'store') {
      // Guests have the headers: the arrow goes into that room, so that it is seen to go no further.
      const box = lower.rows.flat().find(({ wing }) => into.length === 1 && wing.path === `store/${into[0]}`);
      const y = box === undefined ? lower.y + 60 : box.y + Math.round(box.h / 2);
      return cross(
        [
          [upper.x + upper.w, y],
          [(box?.x ?? lower.x) - 3, y],
        ],
        '',
        0,
        0,
      ).slice(0, 1);
    }
    if (from === 'scenarios' && to === 'sim') {
      const x = Math.round((at.guests.x + at.guests.w + at.store.x) / 2);
      return cross(
        [
          [x, bottom(upper)],
          [x, lower.y - 3],
        ],
        '',
        0,
        0,
      ).slice(0, 1);
    }
    const x = lower === at.sim ? upper.x + Math.round(upper.w / 2) : lower.x + 60;
    return cross(
      [
        [x, bottom(upper)],
        [x, lower.y - 3],
      ],
      lower === at.sim ? '' : label,
      x + 12,
      bottom(upper) + 30,
    );
  });
}

function head(id: string, style: string, size: number): string {
  return `<marker id="${id}" viewBox="0 0 8 8" refX="6.5" refY="4" markerWidth="${size}" markerHeight="${size}" orient="auto-start-reverse"><path class="${style}" d="M0 0.5L7.5 4L0 7.5z"/></marker>`;
}
