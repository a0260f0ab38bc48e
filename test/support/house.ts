import { arrowsOf, type Import, type ImportGraph, knots, wayRound } from './imports.ts';

/** The four floors, from the ground. */
export const FLOORS = ['sim', 'store', 'guests', 'scenarios'] as const;

/** A folder, what it is for, and whom its files may import. */
export interface Room {
  readonly path: string;
  /** A line for the picture and the page. */
  readonly about: string;
  /**
   * Rooms and files besides its own: `store/tree` is the files of that folder alone, `store/tree/` also the rooms in
   * it. A file belongs to the innermost room that it lies in.
   */
  readonly imports: readonly string[];
}

/** What every program of a guest sees of what is not a guest: the machine, and xenstore's headers. */
const HEADERS = ['sim/', 'store/protocol'];
const KERNEL = [...HEADERS, 'guests/kernel'];
const CLIENT = [...KERNEL, 'guests/xenstore'];
/** Formats that tools of dom0 read and write: headers, too. */
const STREAMS = ['store/format/enclosing', 'store/format'];
/** The trunk of the laboratory: a language, what reads and writes by it, and the formats that are told in it. */
const FORMAT = ['schema', 'codec', 'file', 'generations', 'dialects']
  .map((room) => `store/format/${room}`)
  .concat('store/format');
/** What scenarios run: guests on a machine beside a store. */
const HOST = ['sim/', 'store', 'store/protocol', 'store/format', 'store/format/model', 'guests/'];
const ENGINE = [...HOST, 'scenarios/engine', 'scenarios/faults', 'scenarios/judge', 'scenarios/judge/invariants'];
const HUNT = [...ENGINE, 'scenarios/report'];
const PLAYS = [...ENGINE, 'scenarios/story', 'scenarios/catalogue', 'scenarios/drive', 'scenarios/report'];

/** Who may import whom, from the ground up: the whole graph of the house, and what its picture is drawn from. */
export const ROOMS: readonly Room[] = [
  {
    path: 'sim',
    about: 'machines on one timeline: scheduler, memory, hypercalls, rings, sockets, trace, seed',
    imports: ['sim/'],
  },
  {
    path: 'sim/grants',
    about: 'grant tables, mappings, copies',
    imports: ['sim', 'sim/domains/domain.ts', 'sim/domains/permissions.ts'],
  },
  {
    path: 'sim/events',
    about: 'event channels of both ABIs',
    imports: ['sim', 'sim/domains/domain.ts', 'sim/domains/permissions.ts'],
  },
  { path: 'sim/domains', about: 'birth, shutdown, death, permissions', imports: ['sim', 'sim/grants', 'sim/events'] },

  { path: 'store/protocol', about: 'the wire, paths, permissions: octets and text, no state', imports: ['sim/'] },
  {
    path: 'store/tree',
    about: 'nodes by name, views of them, transactions, commit',
    imports: ['sim/', 'store/protocol'],
  },
  {
    path: 'store/daemon',
    about: 'xenstored: connections, operations, watches, quotas, domains, main loop',
    imports: ['sim/', 'store/protocol', 'store/tree'],
  },
  { path: 'store/format/schema', about: 'a language in which a format is a value', imports: [] },
  { path: 'store/format/codec', about: 'from octets and to them', imports: FORMAT },
  { path: 'store/format/file', about: 'what handles a file of any format', imports: FORMAT },
  { path: 'store/format/generations', about: 'every generation of the image', imports: FORMAT },
  { path: 'store/format/dialects', about: 'what the C daemons wrote', imports: FORMAT },
  { path: 'store/format/model', about: 'state in terms of no format', imports: FORMAT },
  {
    path: 'store/format/enclosing',
    about: 'xl, libxl and libxc streams',
    imports: [...FORMAT, 'store/format/model'],
  },
  { path: 'store/format/paper', about: 'pages and C headers', imports: [...FORMAT, 'store/format/model'] },
  { path: 'store/format/compare', about: 'what a change breaks', imports: [...FORMAT, 'store/format/model'] },
  {
    path: 'store/format',
    about: 'the state image as octets: decoding, encoding, checking, comparing any format',
    imports: [...FORMAT, 'store/format/model'],
  },
  {
    path: 'store/contract',
    about: 'what a host may expect of whatever serves its xenstore',
    imports: ['sim/', 'store/daemon', 'store/format/model'],
  },
  {
    path: 'store/live-update',
    about: 'the state to an image and back; the process that changes instances',
    imports: ['sim/', 'store/protocol', 'store/tree', 'store/daemon', 'store/contract', 'store/format/'],
  },
  {
    path: 'store/migration',
    about: 'domains that move without their help: out of one store and into another',
    imports: ['sim/', 'store/protocol', 'store/tree', 'store/daemon', 'store/live-update', 'store/format/'],
  },
  {
    path: 'store',
    about: 'the door',
    imports: ['store/migration', 'store/protocol', 'store/tree', 'store/daemon', 'store/contract', 'store/live-update'],
  },

  { path: 'guests/kernel', about: 'what a kernel gives its programs: pages, ports, waiting', imports: HEADERS },
  {
    path: 'guests/xenstore',
    about: 'client libraries: over the ring, the socket, /dev/xen/xenbus',
    imports: KERNEL,
  },
  { path: 'guests/devices', about: 'blkfront, blkback, netfront, netback, bridge', imports: CLIENT },
  {
    path: 'guests/save-helper',
    about: 'libxl-save-helper: a guest into a libxc image, and out of it',
    imports: [...KERNEL, ...STREAMS],
  },
  {
    path: 'guests/libxl',
    about: 'the toolstack: xl, libxl, hotplug scripts',
    imports: [...CLIENT, ...STREAMS, 'guests/save-helper'],
  },
  { path: 'guests/console', about: 'the console ring and xenconsoled', imports: CLIENT },
  { path: 'guests/power', about: 'suspend, resume, shutdown as a guest does them', imports: CLIENT },
  {
    path: 'guests/load',
    about: 'what makes traffic: workers, scripts, the operator',
    imports: [...CLIENT, 'guests/power', 'guests/console', 'guests/devices', 'guests/libxl'],
  },
  {
    path: 'guests/monitors',
    about: 'xenopsd, squeezed, agents and others at their daily rates',
    imports: [...CLIENT, 'guests/power', 'guests/console', 'guests/devices', 'guests/libxl', 'guests/load'],
  },
  {
    path: 'guests/hostile',
    about: 'guests that each break a promise',
    imports: [...CLIENT, 'guests/power', 'guests/console', 'guests/devices', 'guests/libxl'],
  },
  { path: 'guests', about: 'the door', imports: ['guests/', 'store/protocol'] },

  {
    path: 'scenarios/faults',
    about: 'what goes wrong on purpose, each under its label',
    imports: [...HOST],
  },
  {
    path: 'scenarios/judge/oracles',
    about: 'models of xenstore, of nobody else',
    imports: ['scenarios/judge/history.ts'],
  },
  {
    path: 'scenarios/judge/invariants',
    about: 'the checks',
    imports: [
      'scenarios/judge/history.ts',
      'scenarios/judge/migrations.ts',
      'scenarios/judge/copies.ts',
      'scenarios/judge/sessions.ts',
      'scenarios/judge/record-log.ts',
      'scenarios/judge/recorded-history.ts',
      'scenarios/judge/oracles',
    ],
  },
  {
    path: 'scenarios/judge',
    about: 'the history of what went in and out, and what is said of it',
    imports: ['sim/', 'store', 'store/protocol', 'guests/', 'scenarios/judge/oracles', 'scenarios/judge/invariants'],
  },
  {
    path: 'scenarios/engine',
    about: 'a host, a run on it, settings: from a seed to a verdict',
    imports: ENGINE,
  },
  {
    path: 'scenarios/story',
    about: 'what a scenario is written with: hosts, guests, moments, updates, migrations',
    imports: ENGINE,
  },
  {
    path: 'scenarios/catalogue',
    about: 'the scenarios',
    imports: [...ENGINE, 'scenarios/story', 'scenarios/catalogue/storms'],
  },
  { path: 'scenarios/catalogue/storms', about: 'what the storms share', imports: ENGINE },
  { path: 'scenarios/drive', about: 'traffic scripts: text in, JSON Lines out', imports: ENGINE },
  { path: 'scenarios/report', about: 'what a run came to, for people and for programs', imports: ENGINE },
  { path: 'scenarios/report/trace', about: 'runs as the files of other programs', imports: ENGINE },
  {
    path: 'scenarios/report/page',
    about: 'one run as a page that stands alone',
    imports: [...ENGINE, 'scenarios/report'],
  },
  {
    path: 'scenarios/report/page/browser',
    about: "the page's script: draws what the page holds",
    imports: ['scenarios/report/page/layout.ts', 'scenarios/report/page/columns.ts'],
  },
  {
    path: 'scenarios/site',
    about: 'the simulator in a page of its own',
    imports: [...PLAYS, 'scenarios/hunt', 'scenarios/report/page', 'store/format/model'],
  },
  {
    path: 'scenarios/site/browser',
    about: "the site's scripts: the simulator's thread, what is wanted of it, and the picture",
    imports: ['scenarios/site', 'scenarios/engine/settings.ts', 'scenarios/report/page/browser'],
  },
  {
    path: 'scenarios/hunt',
    about: 'from a failing run to its cause: tokens, where two runs part, what fails alike',
    imports: HUNT,
  },
  {
    path: 'scenarios/hunt/shrink',
    about: 'smaller runs that fail in the same way',
    imports: [...HUNT, 'scenarios/hunt'],
  },
  {
    path: 'scenarios/hunt/look',
    about: 'what there is on a host at any moment of a run',
    imports: [...HUNT, 'scenarios/hunt'],
  },
  {
    path: 'scenarios/lab',
    about: 'what each format loses in a live update, predicted and observed',
    imports: [...PLAYS, 'store/format/enclosing'],
  },
  { path: 'scenarios/real', about: 'what meets programs of others', imports: [...PLAYS, 'scenarios/real/'] },
  {
    path: 'scenarios/real/conform',
    about: 'the same script here and on a real daemon',
    imports: [...PLAYS, 'scenarios/real', 'scenarios/real/serve'],
  },
  {
    path: 'scenarios/real/lockstep',
    about: "a real daemon as a simulated host's store, in lock-step",
    imports: [...PLAYS, 'scenarios/real'],
  },
  {
    path: 'scenarios/real/follow',
    about: 'our store, given what another one took in, and what the two said',
    imports: [...PLAYS, 'scenarios/real', 'scenarios/real/conform', 'scenarios/real/lockstep'],
  },
  {
    path: 'scenarios/real/serve',
    about: 'the store on a real socket',
    imports: [...PLAYS, 'scenarios/real'],
  },
  {
    path: 'scenarios/cli',
    about: 'the commands: they parse, call, print, and set the exit code',
    imports: [
      ...PLAYS,
      'scenarios/report/trace',
      'scenarios/hunt/',
      'scenarios/lab',
      'scenarios/real/',
      'scenarios/cli/',
      'scenarios/report/page',
      'store/format/',
      'scenarios/index.ts', // what users' modules import
    ],
  },
  {
    path: 'scenarios/cli/hunt',
    about: 'into runs',
    imports: [...PLAYS, 'scenarios/hunt/', 'scenarios/cli', 'scenarios/cli/image', 'scenarios/cli/terminal'],
  },
  {
    path: 'scenarios/cli/fleet',
    about: 'campaigns that are given out: to threads, or to other machines',
    imports: [
      'sim/',
      'guests',
      'scenarios/hunt',
      'scenarios/cli',
      'scenarios/cli/bugs',
      'scenarios/cli/image',
      'scenarios/cli/terminal',
    ],
  },
  {
    path: 'scenarios/cli/image',
    about: 'into images of state',
    imports: ['sim/', 'store/format/', 'scenarios/cli', 'scenarios/cli/format'],
  },
  {
    path: 'scenarios/cli/format',
    about: 'into formats',
    imports: ['store/format/', 'scenarios/cli', 'scenarios/cli/image'],
  },
  {
    path: 'scenarios/bugs',
    about: 'mistakes of Xen, and made-up ones: pieces of modules, and what they are changed into',
    imports: ['scenarios/bugs/families'],
  },
  { path: 'scenarios/bugs/families', about: 'the mistakes', imports: ['scenarios/bugs/bug.ts'] },
  {
    path: 'scenarios/cli/bugs',
    about: 'into mistakes that are switched on, and the hunt for them',
    imports: [
      ...PLAYS,
      'scenarios/hunt/',
      'scenarios/bugs',
      'scenarios/cli',
      'scenarios/cli/hunt',
      'scenarios/cli/image',
      'scenarios/cli/terminal',
    ],
  },
  { path: 'scenarios', about: 'the door', imports: [...PLAYS, 'scenarios/cli'] },
];

/** Who may import which package. A name that ends in `:` stands for all that begin with it. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'node:': ['scenarios/real/', 'scenarios/cli/'], // only what meets programs of others, and the commands, see the host
  bullmq: ['scenarios/cli/fleet'], // loaded where a fleet is asked for
  commander: ['scenarios/cli/'],
  eventemitter3: ['sim'],
  ioredis: ['scenarios/cli/fleet'],
  jiti: ['scenarios/cli/'], // formats in TypeScript
  seedrandom: ['sim'],
};

/**
 * Ways in beside a door, each with its reason: `into` is a room or a file. A folder with an index.ts is entered from
 * outside its parent folder through that file only; the door of a folder further in is a door too.
 */
export const SIDE_DOORS: readonly { readonly into: string; readonly from: string; readonly why: string }[] = [
  {
    into: 'store/protocol',
    from: 'guests/',
    why: 'xenstore.h and xs_wire.h of this house: guests have the headers, and the door leads to the daemon',
  },
  {
    into: 'store/format/enclosing',
    from: 'guests/',
    why: 'the headers of saved and migrated guests, which the tools of dom0 have; the door leads to the state image',
  },
  {
    into: 'store/protocol',
    from: 'scenarios/',
    why: 'the same headers, for what speaks the protocol by itself',
  },
  {
    into: 'store/format/model',
    from: 'store/',
    why: 'an update needs the state in terms of no format, and the door brings every format with it',
  },
  {
    into: 'scenarios/judge/invariants',
    from: 'scenarios/catalogue/',
    why: 'checks of one scenario: behind the door are those that judge every run',
  },
  {
    into: 'scenarios/judge/invariants',
    from: 'scenarios/story',
    why: 'checks of stories on several hosts: behind the door are those that judge every run',
  },
  {
    into: 'scenarios/judge/invariants',
    from: 'scenarios/lab',
    why: 'checks of migrations that are tried one by one: behind the door are those that judge every run',
  },
  {
    into: 'store/format/enclosing',
    from: 'scenarios/lab',
    why: 'where records of a stream end, for links that are cut there',
  },
  {
    into: 'store/format/',
    from: 'scenarios/cli/',
    why: 'the command line of the laboratory shows each of its rooms',
  },
];

/** The room that `file` lies in: the innermost; `undefined` where it lies in none. Errors: none. */
export function roomOf(file: string, rooms: readonly Room[] = ROOMS): Room | undefined {
  let found: Room | undefined;
  for (const room of rooms)
    if (file.startsWith(`${room.path}/`) && room.path.length > (found?.path.length ?? -1)) found = room;
  return found;
}

/** Whether `file` is meant by `name`: a file, a room without the rooms in it, or, ending in `/`, with them. */
function isIn(file: string, name: string, rooms: readonly Room[]): boolean {
  if (name.endsWith('/')) return file.startsWith(name);
  return file === name || roomOf(file, rooms)?.path === name;
}

/** Imports that the table of rooms does not allow, one complaint each. Errors: none. */
export function climbs(graph: ImportGraph, rooms: readonly Room[] = ROOMS): string[] {
  return graph.imports.flatMap((each) => {
    const room = roomOf(each.from, rooms);
    if (room === undefined) return [`${each.from} lies in no room`];
    const allowed = mayImport(each, room, rooms);
    return allowed ? [] : [`${each.from} (${room.path}) imports ${each.to} (${each.kind})`];
  });
}

function mayImport({ to }: Import, room: Room, rooms: readonly Room[]): boolean {
  return roomOf(to, rooms) === room || room.imports.some((name) => isIn(to, name, rooms));
}

/** Packages that are imported where the table of packages does not allow it. Errors: none. */
export function strangers(
  graph: ImportGraph,
  packages: Readonly<Record<string, readonly string[]>> = PACKAGES,
  rooms: readonly Room[] = ROOMS,
): string[] {
  return graph.packages
    .filter(({ from, to }) => {
      const named = Object.keys(packages).filter((name) => to === name || (name.endsWith(':') && to.startsWith(name)));
      return !named.some((name) => packages[name]!.some((room) => isIn(from, room, rooms)));
    })
    .map(({ from, to }) => `${from} imports ${to}`);
}

/** Imports past a door that no side door allows, and side doors that nobody takes. Errors: none. */
export function jumpedDoors(graph: ImportGraph, sideDoors = SIDE_DOORS, rooms: readonly Room[] = ROOMS): string[] {
  const doors = new Set(graph.files.filter((file) => file.endsWith('/index.ts')));
  const taken = new Set<unknown>();
  const jumped = graph.imports.flatMap(({ from, to }) => {
    const past = doorBefore(from, to, doors);
    if (past === undefined) return [];
    const side = sideDoors.find((each) => isIn(to, each.into, rooms) && isIn(from, each.from, rooms));
    if (side === undefined) return [`${from} imports ${to}, past ${past}`];
    taken.add(side);
    return [];
  });
  const unused = sideDoors.filter((side) => !taken.has(side));
  return [...jumped, ...unused.map(({ from, into }) => `nobody takes the side door from ${from} into ${into}`)];
}

/** The outermost door that an import of `to` passes by. */
function doorBefore(from: string, to: string, doors: ReadonlySet<string>): string | undefined {
  if (doors.has(to)) return undefined;
  const folders = to.split('/').slice(0, -1);
  for (let depth = 1; depth <= folders.length; depth++) {
    const folder = folders.slice(0, depth).join('/');
    const parent = folders.slice(0, depth - 1).join('/');
    const outside = parent === '' ? !from.startsWith(`${folder}/`) : !from.startsWith(`${parent}/`);
    if (outside && doors.has(`${folder}/index.ts`)) return `${folder}/index.ts`;
  }
  return undefined;
}

/** A room as the picture has it: the first two steps of its path, and `sim` as a whole. */
export function wingOf(path: string): string {
  return path
    .split('/')
    .slice(0, path === 'sim' || path.startsWith('sim/') ? 1 : 2)
    .join('/');
}

/** Whether any file of `other` may be imported from `room`. Errors: none. */
export function mayImportRoom(room: Room, other: Room, rooms: readonly Room[] = ROOMS): boolean {
  return room.imports.some((name) => isIn(`${other.path}/any.ts`, name, rooms));
}

/** Circles that the table itself would allow between the rooms of the picture. Errors: none. */
export function roundaboutsOf(rooms: readonly Room[]): string[] {
  const arrows = arrowsOf(
    rooms.flatMap((room) =>
      rooms
        .filter((other) => mayImportRoom(room, other, rooms))
        .map((other) => [wingOf(room.path), wingOf(other.path)] as const),
    ),
  );
  return knots(arrows).map((knot) => (wayRound(arrows, knot[0] as string) ?? knot).join(' -> '));
}
