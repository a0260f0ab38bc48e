import { ofFamily } from '../bug.ts';

export const DRIVER_HANDSHAKE = ofFamily('driver handshake', []);
