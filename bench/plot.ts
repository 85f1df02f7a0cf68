/** One axis of a chart. A logarithmic one leaves out what is not above 0. */
export interface Axis {
  label: string;
  log?: boolean;
}

export interface Chart {
  title: string;
  x: Axis;
  y: Axis;
  series: { name: string; points: [x: number, y: number][] }[];
}

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 84;
const RIGHT = WIDTH - 28;
const BOTTOM = HEIGHT - 56;
const TITLE_Y = 30;
const LEGEND_Y = 54;
const LEGEND_ROW = 19;
/** Between the axes and the first and last values of a logarithmic one. */
const MARGIN = 14;
/** Of the legend's text, whose real width only the reader's browser knows. */
const CHARACTER = 6.9;
const SWATCH = 30;
const TICKS_MAX = 8;
/** More of them hide the line. */
const DOTS_MAX = 24;
const FONT = 'system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif';
const PAPER = '#ffffff';
const INK = '#1f2328';
const FAINT = '#59636e';
const GRID = '#e4e7eb';
// Told apart by those who do not see all colours, too. Source: Okabe and Ito, Color Universal Design.
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#1f2328'];

/** Where the values of an axis lie, as a part of its length from 0 to 1. */
interface Scale {
  ticks: number[];
  at: (value: number) => number;
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const fixed = (pixels: number) => String(Math.round(pixels * 10) / 10);
const told = (value: number) => value.toLocaleString('en-US', { maximumSignificantDigits: 6 });

// A tick of 0.3 must not be one of 0.30000000000000004.
const exact = (value: number) => Number(value.toPrecision(12));

/** 1, 2 or 5 times a power of ten, the least that makes few enough steps of the span. */
function stepOf(span: number): number {
  const power = 10 ** Math.floor(Math.log10(span / TICKS_MAX));
  const step = [1, 2, 5, 10].find((times) => span / (times * power) <= TICKS_MAX - 1) ?? 10;
  return step * power;
}

function linear(values: readonly number[], fromZero: boolean): Scale {
  const least = Math.min(...values, ...(fromZero ? [0] : []));
  const most = Math.max(...values, ...(fromZero ? [0] : []));
  const step = stepOf(most - least || Math.abs(most) || 1);
  const first = Math.floor(exact(least / step));
  const count = Math.max(Math.ceil(exact(most / step)) - first, 1);
  const ticks = Array.from({ length: count + 1 }, (_, index) => exact((first + index) * step));
  return { ticks, at: (value) => (value / step - first) / count };
}

// As many of 1, 2 and 5 times the powers of ten as there is room for.
function decades(least: number, most: number): number[] {
  const lowest = Math.floor(Math.log10(least));
  const powers = Array.from(
    { length: Math.ceil(Math.log10(most)) - lowest + 1 },
    (_, index) => lowest + index,
  );
  const all = powers.flatMap((power) =>
    [1, 2, 5].map((times) => Number((times * 10 ** power).toPrecision(1))),
  );
  const first = all.findLastIndex((tick) => tick <= least);
  const last = all.findIndex((tick) => tick >= most);
  const ticks = all.slice(Math.max(first, 0), last + 1);
  return ticks.length <= TICKS_MAX
    ? ticks
    : powers.filter((power) => 10 ** power <= most).map((power) => 10 ** power);
}

function logarithmic(values: readonly number[], ownTicks: boolean): Scale {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  const [least = 1, most = 1] = [distinct[0], distinct.at(-1)];
  // Values that were chosen, such as 1, 4, 16, 64, say more than round ones between them.
  const ticks = ownTicks && distinct.length <= TICKS_MAX ? distinct : decades(least, most);
  const [low, high] = [Math.min(least, ...ticks), Math.max(most, ...ticks)].map(Math.log);
  const span = (high ?? 0) - (low ?? 0);
  return { ticks, at: (value) => (span === 0 ? 0.5 : (Math.log(value) - (low ?? 0)) / span) };
}

const text = (x: number, y: number, said: string, more = '') =>
  `<text x="${fixed(x)}" y="${fixed(y)}"${more}>${escaped(said)}</text>`;

interface Legend {
  svg: string[];
  rows: number;
}

function legendOf(series: Chart['series']): Legend {
  const svg: string[] = [];
  let [x, row] = [LEFT, 0];
  for (const [index, { name }] of series.entries()) {
    const width = SWATCH + name.length * CHARACTER + 18;
    if (x > LEFT && x + width > RIGHT) [x, row] = [LEFT, row + 1];
    const y = LEGEND_Y + row * LEGEND_ROW;
    const color = COLORS[index % COLORS.length];
    svg.push(
      `<path d="M${fixed(x)} ${y - 4}h22" stroke="${color}" stroke-width="2.5"/>`,
      `<circle cx="${fixed(x + 11)}" cy="${y - 4}" r="3.5" fill="${color}"/>`,
      text(x + SWATCH, y, name),
    );
    x += width;
  }
  return { svg, rows: row + 1 };
}

function pathOf(points: readonly (readonly [x: number, y: number])[], color: string): string[] {
  const line = points.map(([x, y], index) => `${index ? 'L' : 'M'}${fixed(x)} ${fixed(y)}`);
  return [
    `<path d="${line.join('')}" fill="none" stroke="${color}" stroke-width="2.5"` +
      ' stroke-linejoin="round"/>',
    ...(points.length > DOTS_MAX ? [] : points).map(
      ([x, y]) => `<circle cx="${fixed(x)}" cy="${fixed(y)}" r="3.5" fill="${color}"/>`,
    ),
  ];
}

const scaleOf = ({ log }: Axis, values: readonly number[], isX: boolean): Scale =>
  log ? logarithmic(values, isX) : linear(values, !isX);

/**
 * A line chart as a standalone SVG of 720 by 400, the same text for the same data. Points without a
 * finite place on the axes are left out; throws when none is left.
 */
export function lineChart({ title, x, y, series }: Chart): string {
  const isOn = ({ log }: Axis, value: number) => Number.isFinite(value) && (!log || value > 0);
  const shown = series.map(({ name, points }) => ({
    name,
    points: points.filter((point) => isOn(x, point[0]) && isOn(y, point[1])),
  }));
  const all = shown.flatMap(({ points }) => points);
  if (all.length === 0) throw new Error(`nothing to draw: ${title}`);
  const legend = legendOf(shown);
  const top = LEGEND_Y + (legend.rows - 1) * LEGEND_ROW + 22;
  const [across, up] = [x, y].map((axis, place) =>
    scaleOf(
      axis,
      all.map((point) => point[place] ?? 0),
      place === 0,
    ),
  ) as [Scale, Scale];
  const [marginX, marginY] = [x, y].map(({ log }) => (log ? MARGIN : 0)) as [number, number];
  const xOf = (value: number) => LEFT + marginX + across.at(value) * (RIGHT - LEFT - 2 * marginX);
  const yOf = (value: number) => BOTTOM - marginY - up.at(value) * (BOTTOM - top - 2 * marginY);
  const middle = (top + BOTTOM) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"` +
      ` aria-label="${escaped(title)}" font-family="${FONT}" font-size="12.5" fill="${INK}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="6" fill="${PAPER}"/>`,
    text(LEFT, TITLE_Y, title, ' font-size="16" font-weight="600"'),
    ...legend.svg,
    ...up.ticks.map((tick) => `<path d="M${LEFT} ${fixed(yOf(tick))}H${RIGHT}" stroke="${GRID}"/>`),
    `<path d="M${LEFT} ${top}V${BOTTOM}H${RIGHT}" fill="none" stroke="${FAINT}"/>`,
    `<g fill="${FAINT}" text-anchor="end">`,
    ...up.ticks.map((tick) => text(LEFT - 8, yOf(tick) + 4, told(tick))),
    `</g><g fill="${FAINT}" text-anchor="middle">`,
    ...across.ticks.map((tick) => text(xOf(tick), BOTTOM + 20, told(tick))),
    text((LEFT + RIGHT) / 2, HEIGHT - 14, x.label),
    text(20, middle, y.label, ` transform="rotate(-90 20 ${fixed(middle)})"`),
    '</g>',
    ...shown.flatMap(({ points }, index) =>
      pathOf(
        points.map(([px, py]) => [xOf(px), yOf(py)] as const),
        COLORS[index % COLORS.length] ?? INK,
      ),
    ),
    '</svg>\n',
  ].join('\n');
}
