import type { TraceEvent } from '../../sim/index.ts';

const WORDS = ['req_cons', 'req_prod', 'rsp_cons', 'rsp_prod'] as const;

/** An event of the trace in a line, without its time. */
export function eventText(event: TraceEvent): string {
  switch (event.kind) {
    case 'life':
      return `domain ${event.domid} ${event.what}`;
    case 'grant': {
      const status = event.status === 0 ? '' : ` (status ${event.status})`;
      return `domain ${event.mapper} grant ${event.what}: gref ${event.gref} of domain ${event.granter}${status}`;
    }
    case 'port':
      return `domain ${event.domid} port ${event.port} ${event.what}, peer ${event.remoteDomid} port ${event.remotePort}`;
    case 'send':
      return `domain ${event.domid} sends on port ${event.port}: ${event.outcome}`;
    case 'index':
      return `ring of domain ${event.domid}: ${event.by} moves ${WORDS[event.word]} ${event.from} to ${event.to}`;
    case 'socket': {
      const by = event.by === '' ? '' : ` (${event.by})`;
      return `socket ${event.fd}${by}: ${event.end} ${event.what}${event.count > 0 ? ` ${event.count} octets` : ''}`;
    }
    case 'store':
      return storeText(event);
    case 'mark':
      return `${event.actor} ${event.what} #${event.n}${event.detail === '' ? '' : `: ${event.detail}`}`;
  }
}

function storeText(news: Extract<TraceEvent, { readonly kind: 'store' }>): string {
  switch (news.phase) {
    case 'dump':
    case 'exec':
    case 'started':
    case 'up':
    case 'failed':
      return `store: live update #${news.update} ${news.phase}`;
    case 'ended':
      return 'store: ended';
    case 'bound':
    case 'unbound':
      return `store: port ${news.port} ${news.phase}`;
    case 'no-memory':
      return `store: no memory for a request of domain ${news.client}`;
    case 'error-word':
      return `store: error word ${news.error} in the ring of domain ${news.client}`;
  }
}
