export { pageData } from './data.ts';
export { type PageParts, pageHtml } from './html.ts';
export type { PageData } from './page-data.ts';
