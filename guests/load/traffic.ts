/** How much traffic is wanted, shared by all agents of a run. Only counts: no agent's draws depend on another's. */
export class Traffic {
  /** Requests whose last octet reached a ring. */
  requests = 0;
  /** Operations that agents gave up or that were refused, by errno name: weather, shown in the report. */
  readonly refusals = new Map<string, number>();
  conflicts = 0;
  stopping = false;
  readonly requestsMax: number;

  constructor(requestsMax: number) {
    this.requestsMax = requestsMax;
  }

  sent(): void {
    this.requests++;
    if (this.requests >= this.requestsMax) this.stopping = true;
  }

  refused(errno: string): void {
    this.refusals.set(errno, (this.refusals.get(errno) ?? 0) + 1);
  }
}
