import { SCENARIOS } from '../../catalogue/index.ts';
import { Checkpoints, EventLog, type LoggedEvent } from '../../hunt/event-log.ts';
import { runnerOf } from '../../hunt/spec.ts';
import { labOf } from '../lab-of.ts';
import { onDaemons } from '../on-daemons.ts';
import type { VerifyAnswer, VerifyRequest } from './verify.ts';

// One of two processes that run the same: answers with digests at checkpoints, or with the events of a range.
process.once('message', async (message) => {
  const { spec, range } = message as VerifyRequest;
  const lab = await labOf(spec.format);
  const events: LoggedEvent[] = [];
  const checkpoints = new Checkpoints();
  const log = range === undefined ? undefined : new EventLog(range, (event) => events.push(event));
  const result = onDaemons(runnerOf(SCENARIOS))(spec, { ...(log ?? checkpoints).extras, lab });
  log?.end(result.digest);
  const answer: VerifyAnswer = {
    digest: result.digest,
    count: result.traceEvents,
    checkpoints: checkpoints.digests,
    events,
  };
  process.send?.(answer);
});
