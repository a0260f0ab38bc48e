import { DOMID_SELF } from '../../../sim/index.ts';
import { octetsOf } from '../../protocol/octets.ts';
import { atoi, OK, refuse, strings } from '../../protocol/wire.ts';
import { tie } from '../connection.ts';
import { type Answer, domidArg, type Request, toDomid } from './request.ts';

export function introduce(r: Request): Answer {
  const { texts, count } = strings(r.message.payload, 3);
  if (count < 3) refuse('EINVAL');
  const domid = toDomid(r, texts[0] as string);
  const port = atoi(texts[2] as string) >>> 0;
  if (port === 0) refuse('EINVAL');
  r.daemon.introductions.introduce(domid, port);
  return OK;
}

export function release(r: Request): Answer {
  r.daemon.ends.release(domidArg(r), r.conn);
  return OK;
}

export function resume(r: Request): Answer {
  const { ends } = r.daemon;
  const domid = domidArg(r);
  ends.refuseVital(domid);
  const { record } = ends.connected(domid);
  if (record !== undefined) record.isShutdown = false;
  return OK;
}

export function isIntroduced(r: Request): Answer {
  const domid = domidArg(r);
  return octetsOf(domid === DOMID_SELF || r.daemon.records.isIntroduced(domid) ? 'T\0' : 'F\0');
}

export function setTarget(r: Request): Answer {
  const { ends } = r.daemon;
  const { texts, count } = strings(r.message.payload, 2);
  if (count < 2) refuse('EINVAL');
  const domid = toDomid(r, texts[0] as string);
  const target = toDomid(r, texts[1] as string);
  const conn = ends.connected(domid);
  tie(conn, ends.connected(target));
  return OK;
}
