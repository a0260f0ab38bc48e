import type { Scenario } from '../scenario.ts';
import { hostileGuests } from './hostile-guests.ts';
import { liveUpdateMidTraffic } from './live-update-mid-traffic.ts';
import { suspendResume } from './suspend-resume.ts';

/** Every scenario, by the name under which it runs. The first is the headline. */
export const SCENARIOS: readonly Scenario[] = [liveUpdateMidTraffic, hostileGuests, suspendResume];
