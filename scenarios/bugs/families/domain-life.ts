import { ofFamily } from '../bug.ts';

export const DOMAIN_LIFE = ofFamily('domain life', []);
