import { FLOORS, mayImportRoom, ROOMS, type Room, roomOf, wingOf } from '../support/house.ts';
import { type Arrows, arrowsOf, type ImportGraph } from '../support/imports.ts';

/** A room as the picture has it: a folder of a floor with the rooms in it, or the whole of `sim`. */
export interface Wing {
  readonly path: string;
  readonly about: string;
  /** Names of the rooms in it. */
  readonly inner: readonly string[];
}

export interface Floor {
  readonly name: string;
  /** From the top; an import goes to a lower row. */
  readonly rows: readonly (readonly Wing[])[];
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
  /** The table of rooms does not allow it. */
  readonly climbs: boolean;
}

/** What the imports are, in the words of the picture. */
export interface House {
  readonly floors: readonly Floor[];
  /** Within floors; one that follows from others is left out. */
  readonly arrows: readonly Arrow[];
  /** From floor to floor: the rooms that are entered, `index.ts` for the door of the floor. */
  readonly crossings: readonly { readonly from: string; readonly to: string; readonly into: readonly string[] }[];
}

const floorOf = (path: string): string => path.split('/')[0] as string;

/** The house as its imports make it; places of rooms are those of the table. Errors: none. */
export function houseOf(graph: ImportGraph, rooms: readonly Room[] = ROOMS): House {
  const pairs = graph.imports.map(({ from, to }) => ({
    from: roomOf(from, rooms)?.path ?? from,
    to: roomOf(to, rooms)?.path ?? to,
  }));
  const inside = pairs.filter(({ from, to }) => floorOf(from) === floorOf(to) && !isDoor(from) && !isDoor(to));
  const drawn = arrowsOf(inside.map(({ from, to }) => [wingOf(from), wingOf(to)] as const));
  const allowed = allowedWings(rooms);
  const climbs = (from: string, to: string) => !(allowed.get(from) ?? []).includes(to);
  const arrows = [...drawn].flatMap(([from, all]) =>
    all
      .filter(
        (to) => climbs(from, to) || !all.some((by) => by !== to && !climbs(from, by) && reaches(drawn, by, to, climbs)),
      )
      .map((to) => ({ from, to, climbs: climbs(from, to) })),
  );
  return { floors: FLOORS.map((name) => floor(name, rooms, allowed)), arrows, crossings: crossingsOf(graph, rooms) };
}

/** The folder of a floor itself has its door and what starts it. */
const isDoor = (path: string): boolean => path !== 'sim' && (FLOORS as readonly string[]).includes(path);

function allowedWings(rooms: readonly Room[]): Arrows {
  const places = rooms.filter(({ path }) => !isDoor(path));
  return arrowsOf(
    places.flatMap((room) =>
      places
        .filter((other) => floorOf(other.path) === floorOf(room.path) && mayImportRoom(room, other, rooms))
        .map((other) => [wingOf(room.path), wingOf(other.path)] as const),
    ),
  );
}

function reaches(arrows: Arrows, from: string, to: string, without: (from: string, to: string) => boolean): boolean {
  return (arrows.get(from) ?? []).some(
    (next) => !without(from, next) && (next === to || reaches(arrows, next, to, without)),
  );
}

/** Rows by the longest way down that the table allows: a room keeps its place while imports come and go. */
function floor(name: string, rooms: readonly Room[], allowed: Arrows): Floor {
  const level = (path: string): number => Math.max(0, ...(allowed.get(path) ?? []).map((below) => 1 + level(below)));
  const mine = rooms.filter(({ path }) => floorOf(path) === name && !isDoor(path));
  const wings = [...new Set(mine.map(({ path }) => (name === 'sim' ? path : wingOf(path))))]
    .filter((path) => path !== 'sim')
    .map((path) => ({
      path,
      about: mine.find((room) => room.path === path)?.about ?? '',
      inner: mine.filter((room) => room.path.startsWith(`${path}/`)).map((room) => room.path.slice(path.length + 1)),
    }));
  const rows: Wing[][] = [];
  for (const wing of wings) {
    const at = name === 'sim' ? 0 : level(wing.path);
    while (rows.length <= at) rows.unshift([]);
    rows[rows.length - 1 - at]!.push(wing);
  }
  return { name, rows };
}

function crossingsOf(graph: ImportGraph, rooms: readonly Room[]): House['crossings'] {
  const across = graph.imports.filter(({ from, to }) => floorOf(from) !== floorOf(to));
  const floors = arrowsOf(across.map(({ from, to }) => [floorOf(from), floorOf(to)] as const));
  return [...floors].flatMap(([from, all]) =>
    all.map((to) => {
      const entered = across.filter((each) => floorOf(each.from) === from && floorOf(each.to) === to);
      const into = entered.map((each) => {
        const room = roomOf(each.to, rooms)?.path ?? each.to;
        return room === to ? 'index.ts' : wingOf(room).slice(to.length + 1);
      });
      return { from, to, into: [...new Set(into)].sort() };
    }),
  );
}
