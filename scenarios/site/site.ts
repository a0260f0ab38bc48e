import { documentOf, inScript } from '../report/page/document.ts';

/** What the site brings along: the page's script and style, and the simulator's script, as the bundler has made them. */
export interface SiteParts {
  readonly script: string;
  readonly style: string;
  readonly simulator: string;
  /** Of the package. */
  readonly version: string;
}

/**
 * One page with the simulator in it, which opens from disk and loads nothing: the simulator's script stands in it as text, and
 * runs as a worker made from that. It may evaluate code, since formats are compiled. Errors: none.
 */
export function siteOf({ script, style, simulator, version }: SiteParts): string {
  return documentOf({
    title: 'Xenarium',
    policy: "script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:",
    style,
    withoutScript: 'The simulator is a script that is in this page.',
    attributes: ` data-version="${version.replaceAll(/[^\w.+-]/g, '')}"`,
    data: `<script type="text/plain" id="simulator">\n${inScript(simulator)}\n</script>`,
    script,
  });
}
