import { expect, test } from 'vitest';
import { type Chart, lineChart } from '../../bench/plot.ts';
import { markdown, plain } from '../../bench/report.ts';

const chart: Chart = {
  title: 'Holds & connections',
  x: { label: 'connections', log: true },
  y: { label: 'holds a second' },
  series: [
    {
      name: 'bare',
      points: [
        [1, 9_000],
        [16, 34_000],
        [256, 35_500],
      ],
    },
    {
      name: 'row <lock>',
      points: [
        [1, 900],
        [16, 1_300],
        [256, 1_200],
      ],
    },
  ],
};

const texts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, said]) => said);
// Each circle in the middle of a line's legend is one, too.
const dots = (svg: string) => [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)];

test('a chart names its title, its axes, its series and its ticks', () => {
  const said = texts(lineChart(chart));
  for (const name of ['Holds &amp; connections', 'connections', 'holds a second', 'bare']) {
    expect(said).toContain(name);
  }
  expect(said).toContain('row &lt;lock>');
  for (const tick of ['1', '16', '256', '0', '10,000', '40,000']) expect(said).toContain(tick);
});

test('a chart has a place for each point, within its frame', () => {
  const svg = lineChart(chart);
  expect(dots(svg)).toHaveLength(6 + 2);
  for (const [, x, y] of dots(svg)) {
    expect(Number(x)).toBeGreaterThan(0);
    expect(Number(x)).toBeLessThan(720);
    expect(Number(y)).toBeGreaterThan(0);
    expect(Number(y)).toBeLessThan(400);
  }
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

test('a chart has a background of its own, needs nothing else, and is the same every time', () => {
  const svg = lineChart(chart);
  expect(svg).toContain('viewBox="0 0 720 400"');
  expect(svg).toContain('<rect width="720" height="400"');
  expect(svg).not.toMatch(/<script|<image|href|@import/);
  expect(lineChart(structuredClone(chart))).toBe(svg);
});

test('powers of four are evenly apart on a logarithmic axis, and so are powers of ten', () => {
  const points = [1, 10, 100].map((value, index): [number, number] => [4 ** index, value]);
  const log = { label: '', log: true };
  const svg = lineChart({ title: '', x: log, y: log, series: [{ name: 'it', points }] });
  const [, first, second, third] = dots(svg).map(([, x, y]) => [Number(x), Number(y)] as const);
  for (const place of [0, 1] as const) {
    const [a = 0, b = 0, c = 0] = [first?.[place], second?.[place], third?.[place]];
    expect(b - a).toBeCloseTo(c - b, 0);
    expect(Math.abs(b - a)).toBeGreaterThan(10);
  }
});

test.each([
  { values: [0], expected: ['0', '0.2'] },
  { values: [0.1, 0.3], expected: ['0', '0.1', '0.3'] },
  { values: [7, 7], expected: ['0', '7'] },
  { values: [1_200_000, 350_000], expected: ['0', '200,000', '1,200,000'] },
  { values: [-20, 20], expected: ['-20', '0', '20'] },
])('the ticks of $values are round', ({ values, expected }) => {
  const points = values.map((value, index): [number, number] => [index, value]);
  const svg = lineChart({ ...chart, x: { label: 'second' }, series: [{ name: 'it', points }] });
  for (const tick of expected) expect(texts(svg)).toContain(tick);
  expect(svg).not.toMatch(/NaN|Infinity/);
});

test('a wide range of a logarithmic axis is told in powers of ten', () => {
  const points: [number, number][] = [0.2, 3, 70, 900].map((value, index) => [index, value]);
  const y = { label: 'ms', log: true };
  const said = texts(
    lineChart({ ...chart, y, x: { label: 's' }, series: [{ name: 'a', points }] }),
  );
  for (const tick of ['0.1', '1', '10', '100']) expect(said).toContain(tick);
});

test('what was not measured is left out, and a chart of nothing is refused', () => {
  const y = { label: 'ms', log: true };
  const points: [number, number][] = [
    [1, 0],
    [4, Number.NaN],
  ];
  const both = [...chart.series, { name: 'it', points }];
  expect(dots(lineChart({ ...chart, y, series: both }))).toHaveLength(6 + 3);
  expect(() => lineChart({ ...chart, y, series: [{ name: 'it', points }] })).toThrow('nothing');
});

test('a report shows its plots in Markdown, and names them on a terminal once they are written', () => {
  const plots = [{ name: 'holds', alt: 'Holds by connections', svg: '<svg/>' }];
  const empty = { notes: [], head: [''], rows: [], targets: [], json: {} };
  const report = { title: 'Holds', ...empty, plots };
  expect(markdown(report)).toContain('![Holds by connections](plots/holds.svg)');
  expect(plain(report)).not.toContain('plots');
  expect(plain(report, true)).toContain('docs/plots/holds.svg: Holds by connections');
});
