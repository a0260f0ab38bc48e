import { FLOORS, ROOMS, roomOf } from '../support/house.ts';
import { arrowsOf, type ImportGraph } from '../support/imports.ts';

const BEGIN = '<!-- rooms: written by `npm run architecture` from the imports -->';
const END = '<!-- end of rooms -->';

/** A row for each room, from the roof down: what is in it, and all rooms that it imports. Errors: none. */
export function roomsTable(graph: ImportGraph): string {
  const arrows = arrowsOf(
    graph.imports.map(({ from, to }) => [roomOf(from)?.path ?? from, roomOf(to)?.path ?? to] as const),
  );
  const rows = FLOORS.toReversed().flatMap((floor) =>
    ROOMS.filter(({ path }) => path === floor || path.startsWith(`${floor}/`))
      .toReversed()
      .map(({ path, about }) => {
        const imports = (arrows.get(path) ?? []).map((name) => `\`${name}\``).join(', ');
        return `| [\`${path}\`](../${path}) | ${about} | ${imports === '' ? 'nobody' : imports} |`;
      }),
  );
  return ['| room | what is in it | imports |', '|---|---|---|', ...rows].join('\n');
}

/** `page` with the table of rooms between its marks as it is now. Errors: an Error where the marks are missing. */
export function withRooms(page: string, graph: ImportGraph): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`no place for the table of rooms: ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${roomsTable(graph)}\n\n${page.slice(end)}`;
}
