import type { PageData } from './page-data.ts';

/** What a page is made of besides its data. */
export interface PageParts {
  readonly css: string;
  readonly script: string;
}

/** One page that needs nothing but itself, and opens from disk: the same octets for the same data. */
export function pageHtml(data: PageData, { css, script }: PageParts): string {
  // No text of the run may end the element that it is in.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(data.title)} ${escaped(data.outcome)}</title>
<style>
${css}</style>
<body>
<script type="application/json" id="run">${json}</script>
<script>
${script}</script>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
