interface Axis {
  label: string;
  log?: boolean;
}

interface Chart {
  title: string;
  x: Axis;
  y: Axis;
  series: { name: string; points: [number, number][] }[];
}

export const lineChart = (_chart: Chart): string => '';
