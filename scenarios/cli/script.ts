import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { cDaemonLog, isCDaemonLog } from '../drive/from-log/c-daemon.ts';
import { BadListing, treeOf } from '../drive/from-log/listing.ts';
import { isOCamlDaemonLog, ocamlDaemonLog } from '../drive/from-log/ocaml-daemon.ts';
import { scriptOf } from '../drive/from-log/script-of.ts';
import { formatAction } from '../drive/script.ts';
import { STDIN } from './drive.ts';
import { complain, printJsonText, reasonOf, say } from './terminal/output.ts';

interface FromLogOptions {
  readonly tree?: string;
}

/** The name of the socket that writes a starting tree. */
const TREE_WRITER = 'tree';

/** `script`: scripts from what people have. */
export function addScriptCommands(program: Command, done: (code: number) => void): void {
  const script = program.command('script').description('traffic scripts from what people have');
  script
    .command('from-log')
    .description('make a script of the trace log of a C xenstored, or of the access log of an oxenstored')
    .argument('<log>', 'the file; - is standard input')
    .option('--tree <file>', 'a tree to begin with, as xenstore-ls -fp has shown it')
    .action((log, options) => done(fromLogCommand(log, options)));
}

/** The script goes to standard output, and what the log does not tell to standard error. */
function fromLogCommand(file: string, options: FromLogOptions): number {
  const log = readOctets(file);
  if (log.reason !== undefined) return complain(`${file}: ${log.reason}`);
  const tree = options.tree === undefined ? { text: '' } : readOctets(options.tree);
  if (tree.reason !== undefined) return complain(`--tree ${options.tree}: ${tree.reason}`);
  const parse = isCDaemonLog(log.text) ? cDaemonLog : isOCamlDaemonLog(log.text) ? ocamlDaemonLog : undefined;
  if (parse === undefined)
    return complain(`${file}: neither a trace log of a C xenstored nor an access log of an oxenstored`);
  try {
    const before = tree.text === '' ? [] : treeOf(tree.text, TREE_WRITER);
    const { actions, requests, notes } = scriptOf(parse(log.text));
    for (const action of [...before, ...actions]) printJsonText(`${formatAction(action)}\n`);
    say(`${requests} requests`);
    for (const note of notes) say(note);
    return 0;
  } catch (error) {
    if (error instanceof BadListing) return complain(`--tree ${options.tree}: ${error.message}`);
    throw error;
  }
}

/** A file's octets, one code point each; or why it cannot be read. */
function readOctets(file: string): { readonly text: string; readonly reason?: string } {
  try {
    return { text: readFileSync(file === STDIN ? 0 : file, 'latin1') };
  } catch (error) {
    return { text: '', reason: reasonOf(error) };
  }
}
