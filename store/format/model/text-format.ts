import { collected, type FileRows } from '../file/annotate.ts';
import { generateOctets } from '../file/generate.ts';
import { decodeFile } from '../file/reader.ts';
import { g41 } from '../generations/g4-1.ts';
import { escapeOctets } from '../schema/text.ts';
import { stateJson } from './diff.ts';
import { stateOfRecords } from './image-model.ts';
import type { LabFormat } from './lab-format.ts';
import type { LooseRecord } from './loose.ts';
import { quoted } from './losses.ts';
import { reduceState } from './reduce.ts';
import { type DumpLine, decodeTextDump, encodeTextDump, textDumpRows } from './text-dump.ts';
import type { TextLayout } from './text-layout.ts';
import { stateOfTextDump, textDumpOfState } from './text-model.ts';

/** A dialect of oxenstored's dump: what its daemon writes, and what it makes of a file. */
export function textFormat(layout: TextLayout): LabFormat {
  const read: LabFormat['read'] = (octets) => {
    const decoded = decodeTextDump(octets, layout);
    if (!decoded.ok) return decoded;
    const { state, warnings } = stateOfTextDump(decoded.value.dump);
    const all = [...decoded.value.warnings, ...warnings].sort((a, b) => a.offset - b.offset);
    return { ok: true, value: { state, warnings: all } };
  };
  const rows = function* (octets: Uint8Array): FileRows {
    const decoded = decodeTextDump(octets, layout);
    yield* textDumpRows(octets, layout);
    return decoded.ok ? undefined : decoded.failure;
  };
  return {
    name: layout.name,
    aliases: [],
    title: layout.title,
    text: layout,
    carriage: layout.carriage,
    skipsFaults: true,
    read,
    write(state) {
      const { dump, assumptions } = textDumpOfState(state, layout);
      return { ok: true, value: { octets: encodeTextDump(dump), assumptions } };
    },
    show(octets) {
      const decoded = decodeTextDump(octets, layout);
      if (!decoded.ok) return `failure: ${decoded.failure.reason}\n`;
      const { lines } = decoded.value.dump;
      return `${lines.map(shownLine).join('\n')}\ntotal: ${lines.length} lines\n`;
    },
    json(octets) {
      const decoded = decodeTextDump(octets, layout);
      return decoded.ok ? { ok: true, value: stateJson(decoded.value.dump) } : decoded;
    },
    annotate(octets) {
      return collected(rows(octets));
    },
    rows,
    validate(octets) {
      const decoded = read(octets);
      if (decoded.ok) return decoded.value.warnings.map((one) => ({ ...one, rule: 'line', severity: 'error' }));
      return [{ ...decoded.failure, rule: 'header', severity: 'error' }];
    },
    generate(draws, size) {
      // What another format makes, as far as it can be said here.
      const made = generateOctets(g41, draws, size);
      const decoded = made.ok ? decodeFile(g41, made.octets) : made;
      if (!decoded.ok) return decoded;
      const { records, byteOrder } = decoded.file;
      const state = stateOfRecords(records as readonly object[] as readonly LooseRecord[], byteOrder === 'big');
      const { dump } = textDumpOfState(reduceState(state, layout.carriage).state, layout);
      return { ok: true, value: encodeTextDump(dump) };
    },
  };
}

function shownLine(line: DumpLine): string {
  switch (line.kind) {
    case 'global':
      return `global: socket fd ${line.rw}`;
    case 'evtchn-dev':
      return `evtchn-dev: fd ${line.fd}, port ${line.port} of VIRQ_DOM_EXC`;
    case 'dom': {
      const local = line.localPort === undefined ? '' : `, port ${line.localPort}`;
      return `dom: domid ${line.domid}, mfn ${line.mfn}, the guest's port ${line.remotePort}${local}`;
    }
    case 'socket':
      return `socket: fd ${line.fd}`;
    case 'watch':
      return `watch: of ${line.id < 0 ? `socket ${-line.id}` : `domain ${line.id}`} ${quoted(line.path)} token ${escapeOctets(line.token)}`;
    case 'store': {
      const perms = line.perms.map(({ letter, domid }) => `${letter}${domid}`).join(' ');
      return `store: ${quoted(line.path)} = ${escapeOctets(line.value, 64)} [${perms}]`;
    }
    case 'skipped':
      return `skipped: ${quoted(line.text)}`;
  }
}
