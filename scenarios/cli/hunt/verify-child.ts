import { Checkpoints, EventLog, type LoggedEvent } from '../../hunt/event-log.ts';
import { loader } from '../loader.ts';
import type { VerifyAnswer, VerifyRequest } from './verify.ts';

// One of two processes that run the same: answers with digests at checkpoints, or with the events of a range.
const runnerFor = loader();
process.once('message', async (message) => {
  const { spec, range } = message as VerifyRequest;
  const events: LoggedEvent[] = [];
  const checkpoints = new Checkpoints();
  const log = range === undefined ? undefined : new EventLog(range, (event) => events.push(event));
  const result = (await runnerFor(spec))(spec, (log ?? checkpoints).extras);
  log?.end(result.digest);
  const answer: VerifyAnswer = {
    digest: result.digest,
    count: result.traceEvents,
    checkpoints: checkpoints.digests,
    events,
  };
  process.send?.(answer);
});
