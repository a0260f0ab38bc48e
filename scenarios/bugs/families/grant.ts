import { ofFamily } from '../bug.ts';

export const GRANT = ofFamily('grant', []);
