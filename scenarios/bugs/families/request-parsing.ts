import { ofFamily } from '../bug.ts';

export const REQUEST_PARSING = ofFamily('request parsing', []);
