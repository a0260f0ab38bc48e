import {
  type Carriage,
  carriageOf,
  type DaemonState,
  formatOf,
  type LabFormat,
  type Mark,
  STATE_ROW_NAMES,
  type StateRow,
} from '../../store/format/model/index.ts';

/** A format of the lab; to ask for one that there is not is a mistake. */
export function named(name: string): LabFormat {
  const format = formatOf(name);
  if (format === undefined) throw new Error(`assertion: no format ${name}`);
  return format;
}

/** The same with another carriage: what it says of these rows may be a lie. */
export function claiming(format: LabFormat, marks: Partial<Record<StateRow, Mark>>): LabFormat {
  const { carriage } = format;
  return { ...format, carriage: { ...carriage, marks: { ...carriage.marks, ...marks } } };
}

/** A reader that loses something. */
export function forgetting(format: LabFormat, change: (state: DaemonState) => DaemonState): LabFormat {
  return {
    ...format,
    read(octets, options) {
      const read = format.read(octets, options);
      return read.ok ? { ok: true, value: { ...read.value, state: change(read.value.state) } } : read;
    },
  };
}

/** No octets at all: the state itself is handed on, but for what `change` takes away. */
export function handingOn(change: (state: DaemonState) => DaemonState = (state) => state): LabFormat {
  const marks = Object.fromEntries(STATE_ROW_NAMES.map((row) => [row, 'y'])) as Record<StateRow, Mark>;
  const carriage: Carriage = {
    ...carriageOf('G4.1'),
    marks: { ...marks, port: 'both', listeners: 'rw+ro', ringWords: 'memory' },
    readOnlyRings: true,
  };
  let kept: DaemonState | undefined;
  return {
    ...named('G4.1'),
    name: 'by hand',
    carriage,
    write(state) {
      kept = change(state);
      return { ok: true, value: { octets: new Uint8Array(1), assumptions: [] } };
    },
    read() {
      if (kept === undefined) throw new Error('assertion: nothing was written');
      return { ok: true, value: { state: kept, warnings: [] } };
    },
  };
}
