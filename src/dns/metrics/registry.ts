type Labels = readonly string[];

/** A number that a label set counts; written directly on hot paths. */
export interface Cell {
  value: number;
}

/** Observations of one label set; `counts` are per bucket, not cumulative, the last one is +Inf. */
export class HistogramCell {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let i = 0;
    while (i < this.bounds.length && value > this.bounds[i]!) i++;
    this.counts[i]!++;
    this.sum += value;
  }
}

interface MetricInfo {
  readonly name: string;
  readonly help: string;
  readonly labels: Labels;
}

/** A counter or gauge with labels. */
export class Metric {
  readonly info: MetricInfo;
  readonly type: 'counter' | 'gauge';
  readonly cells = new Map<string, Cell>();

  constructor(info: MetricInfo, type: 'counter' | 'gauge') {
    this.info = info;
    this.type = type;
    if (info.labels.length === 0) this.with();
  }

  /** The cell of these label values, in the order of the label names. */
  with(...values: Labels): Cell {
    const key = values.join('\u0000');
    let cell = this.cells.get(key);
    if (cell === undefined) {
      cell = { value: 0 };
      this.cells.set(key, cell);
    }
    return cell;
  }

  print(): string {
    return sorted(this.cells)
      .map(([key, cell]) => `${this.info.name}${printLabels(this.info.labels, key)} ${printNumber(cell.value)}\n`)
      .join('');
  }
}

/** A histogram with labels. */
export class Histogram {
  readonly info: MetricInfo;
  readonly type = 'histogram';
  readonly bounds: readonly number[];
  readonly cells = new Map<string, HistogramCell>();

  constructor(info: MetricInfo, bounds: readonly number[]) {
    this.info = info;
    this.bounds = bounds;
    if (info.labels.length === 0) this.with();
  }

  with(...values: Labels): HistogramCell {
    const key = values.join('\u0000');
    let cell = this.cells.get(key);
    if (cell === undefined) {
      cell = new HistogramCell(this.bounds);
      this.cells.set(key, cell);
    }
    return cell;
  }

  print(): string {
    const { name, labels } = this.info;
    let text = '';
    for (const [key, cell] of sorted(this.cells)) {
      let total = 0;
      for (const [i, count] of cell.counts.entries()) {
        total += count;
        const bound = i < this.bounds.length ? printNumber(this.bounds[i]!) : '+Inf';
        text += `${name}_bucket${printLabels(labels, key, bound)} ${total}\n`;
      }
      text += `${name}_sum${printLabels(labels, key)} ${printNumber(cell.sum)}\n`;
      text += `${name}_count${printLabels(labels, key)} ${total}\n`;
    }
    return text;
  }
}

/** The metrics of one server, printed in the Prometheus text format. */
export class MetricsRegistry {
  readonly #metrics = new Map<string, Metric | Histogram>();

  counter(name: string, help: string, labels: Labels = []): Metric {
    return this.#add(name, () => new Metric({ name, help, labels }, 'counter')) as Metric;
  }

  gauge(name: string, help: string, labels: Labels = []): Metric {
    return this.#add(name, () => new Metric({ name, help, labels }, 'gauge')) as Metric;
  }

  histogram(name: string, help: string, shape: { labels?: Labels; bounds: readonly number[] }): Histogram {
    return this.#add(name, () => new Histogram({ name, help, labels: shape.labels ?? [] }, shape.bounds)) as Histogram;
  }

  /** The exposition text, families in the order of their names. */
  print(): string {
    return [...this.#metrics.values()]
      .filter((metric) => metric.cells.size > 0)
      .sort((a, b) => (a.info.name < b.info.name ? -1 : 1))
      .map((metric) => {
        const { name, help } = metric.info;
        return `# HELP ${name} ${help}\n# TYPE ${name} ${metric.type}\n${metric.print()}`;
      })
      .join('');
  }

  #add(name: string, build: () => Metric | Histogram): Metric | Histogram {
    let metric = this.#metrics.get(name);
    if (metric === undefined) {
      metric = build();
      this.#metrics.set(name, metric);
    }
    return metric;
  }
}

// Prometheus' own library prints series in the order of their labels.
function sorted<T>(cells: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...cells].sort(([a], [b]) => (a < b ? -1 : 1));
}

function printLabels(names: Labels, key: string, le?: string): string {
  const values = names.length === 0 ? [] : key.split('\u0000');
  const pairs = names.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).sort();
  if (le !== undefined) pairs.push(`le="${le}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function printNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  // Go prints an exponent from 1e21 on and below 1e-4, with two digits.
  const text = String(value);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}
