import { ofFamily } from '../bug.ts';

export const EVENT_CHANNEL = ofFamily('event channel', []);
