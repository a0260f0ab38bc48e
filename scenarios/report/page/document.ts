/** What a page that needs nothing beside it is made of. */
export interface PageDocument {
  readonly title: string;
  /** Where its scripts may come from, beside the page itself, and its workers: directives of a Content-Security-Policy. */
  readonly policy: string;
  readonly style: string;
  /** What is read where scripts are off. */
  readonly withoutScript: string;
  /** Attributes of the body; left out: none. */
  readonly attributes?: string;
  /** An element that is no script for browsers, and holds what the script needs. */
  readonly data: string;
  readonly script: string;
}

/** The page as octets, whole; it loads nothing. Errors: none. */
export function documentOf(parts: PageDocument): string {
  const { title, policy, style, withoutScript, attributes = '', data, script } = parts;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; ${policy}; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>
${style.replaceAll('</style', '<\\/style')}
</style>
</head>
<body${attributes}>
<noscript>${withoutScript}</noscript>
${data}
<script>
${inScript(script)}
</script>
</body>
</html>
`;
}

/** A script's text in which its element does not end, and no comment begins. */
export function inScript(text: string): string {
  return text.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}

/** Text between tags. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
