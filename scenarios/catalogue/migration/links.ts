import { LAN, type LinkTraits, WAN } from '../../../sim/index.ts';

/** Links by the words of the setting `link`. */
export const LINKS: Readonly<Record<'lan' | 'wan', LinkTraits>> = { lan: LAN, wan: WAN };
