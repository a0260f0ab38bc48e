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
  const inScript = (text: string) => text.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Xenarium</title>
<style>
${style.replaceAll('</style', '<\\/style')}
</style>
</head>
<body data-version="${version.replaceAll(/[^\w.+-]/g, '')}">
<noscript>The simulator is a script that is in this page.</noscript>
<script type="text/plain" id="simulator">
${inScript(simulator)}
</script>
<script>
${inScript(script)}
</script>
</body>
</html>
`;
}
