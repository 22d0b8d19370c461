/** The value behind a series in a text of metrics; labels in the order of their names. Undefined when it is not there. */
export function metricOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
