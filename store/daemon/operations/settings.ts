import { octetsOf } from '../../protocol/octets.ts';
import { atoi, OK, refuse, strictDomid, strings } from '../../protocol/wire.ts';
import type { Daemon } from '../daemon.ts';
import { type DomainRecord, SERVER_FEATURES_OFFERED } from '../domain-record.ts';
import { isQuota, QUOTA_LIST } from '../quota.ts';
import { type Answer, featuresOf, type Request } from './request.ts';

/** The record of the domain that a text names. Errors: EINVAL, ENOENT. */
function recordArg({ records }: Daemon, text: string | undefined): DomainRecord {
  return records.findOrMake(strictDomid(text as string)) ?? refuse('ENOENT');
}

export function getFeature({ daemon, conn, message }: Request): Answer {
  const { texts, count } = strings(message.payload, 1);
  if (count === 0) return octetsOf(`${featuresOf(conn)}\0`);
  if (conn.isUnprivileged) refuse('EACCES');
  if (count > 1) refuse('EINVAL');
  return octetsOf(`${recordArg(daemon, texts[0]).features}\0`);
}

export function setFeature({ daemon, message }: Request): Answer {
  const { texts, count } = strings(message.payload, 2);
  if (count !== 2) refuse('EINVAL');
  const record = recordArg(daemon, texts[0]);
  if (record.introduced) refuse('EBUSY');
  const value = atoi(texts[1] as string) >>> 0;
  if ((value & ~SERVER_FEATURES_OFFERED) !== 0) refuse('EINVAL');
  record.features = value;
  return OK;
}

export function getQuota({ daemon, message }: Request): Answer {
  const { texts, count } = strings(message.payload, 2);
  if (count > 2) refuse('EINVAL');
  if (count === 0) return octetsOf(`${QUOTA_LIST}\0`);
  const { quotas } = count === 2 ? recordArg(daemon, texts[0]) : daemon.state;
  const name = texts[count - 1] as string;
  if (!isQuota(name)) refuse('EINVAL');
  return octetsOf(`${quotas[name] >>> 0}\0`);
}

export function setQuota({ daemon, message }: Request): Answer {
  const { texts, count } = strings(message.payload, 3);
  if (count !== 2 && count !== 3) refuse('EINVAL');
  const { quotas } = count === 3 ? recordArg(daemon, texts[0]) : daemon.state;
  const name = texts[count - 2] as string;
  const value = atoi(texts[count - 1] as string) >>> 0;
  if (!isQuota(name) || value === 0xffff_ffff) refuse('EINVAL');
  quotas[name] = value;
  return OK;
}
