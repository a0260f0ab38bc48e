import { documentOf } from './document.ts';
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
  return documentOf({
    title: `${data.outcome}: ${data.title}`,
    policy: "script-src 'unsafe-inline'",
    style,
    withoutScript: 'This page draws with a script that is in it.',
    data: `<script type="application/json" id="run">${jsonOf(data)}</script>`,
    script,
  });
}

/** JSON in which no element can end, and no comment begin. */
function jsonOf(data: PageData): string {
  return JSON.stringify(data)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}
