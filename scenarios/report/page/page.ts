import type { PageData } from './layout.ts';

/** What the page brings along: its script and its style, as the bundler has made them. */
export interface PageParts {
  readonly script: string;
  readonly style: string;
}

/**
 * One page, which needs nothing beside it and may load nothing: the data is JSON in a script element that is no script. What
 * guests wrote can end neither that element nor anything else: each `<` in it is an escape. Errors: none.
 */
export function pageOf(data: PageData, { script, style }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escaped(`${data.outcome}: ${data.title}`)}</title>
<style>
${style.replaceAll('</style', '<\\/style')}
</style>
</head>
<body>
<noscript>This page draws with a script that is in it.</noscript>
<script type="application/json" id="run">${jsonOf(data)}</script>
<script>
${script.replaceAll('</script', '<\\/script')}
</script>
</body>
</html>
`;
}

/** JSON in which no element can end, and no comment begin. */
function jsonOf(data: PageData): string {
  return JSON.stringify(data)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}

/** Text between tags. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
