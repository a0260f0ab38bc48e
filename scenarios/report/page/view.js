// The page of a run, in a browser: it draws what the element #run holds (see page-data.ts), and asks nobody for anything.
(() => {
  const run = JSON.parse(document.getElementById('run').textContent);
  const { lanes, messages: m, happenings, fills, bands, finding } = run;
  const TYPES = [
    'CONTROL', 'DIRECTORY', 'READ', 'GET_PERMS', 'WATCH', 'UNWATCH', 'TRANSACTION_START', 'TRANSACTION_END', 'INTRODUCE',
    'RELEASE', 'GET_DOMAIN_PATH', 'WRITE', 'MKDIR', 'RM', 'SET_PERMS', 'WATCH_EVENT', 'ERROR', 'IS_DOMAIN_INTRODUCED',
    'RESUME', 'SET_TARGET', '20', 'RESET_WATCHES', 'DIRECTORY_PART', 'GET_FEATURE', 'SET_FEATURE', 'GET_QUOTA', 'SET_QUOTA',
  ]; // biome-ignore format: by number
  const SORTS = ['request', 'reply', 'event'];
  const RING = 1024;
  const ROW = 20;
  const NAMES = 190;
  const AXIS = 22;
  /** Arrows are drawn while there are at most so many messages in sight; beyond, each pixel says how much there is. */
  const ARROWS_MAX = 2500;

  // Points: each message at its client and at its store, and whatever else happened, by time -----------------------------
  const count = m.seq.length;
  const atNs = [];
  const laneOf = [];
  const refOf = []; // below `count`: message at its client; below 2 * count: at its store; then happenings
  const point = (at, lane, ref) => {
    if (at < 0) return;
    atNs.push(at);
    laneOf.push(lane);
    refOf.push(ref);
  };
  for (let n = 0; n < count; n++) {
    point(m.atNs[n], m.lane[n], n);
    point(m.storeNs[n], m.store[n], count + n);
  }
  for (const [n, { atNs: at, lane }] of happenings.entries()) point(at, lane, 2 * count + n);
  const order = Uint32Array.from(atNs, (_, i) => i).sort((a, b) => atNs[a] - atNs[b] || a - b);
  const times = Float64Array.from(order, (i) => atNs[i]);
  const refs = Uint32Array.from(order, (i) => refOf[i]);
  const laneAt = Uint32Array.from(order, (i) => laneOf[i]);
  const byLane = lanes.map(() => []);
  for (let i = 0; i < laneAt.length; i++) byLane[laneAt[i]].push(i);
  const laneTimes = byLane.map((points) => Float64Array.from(points, (i) => times[i]));
  const placeOf = new Int32Array(2 * count + happenings.length).fill(-1);
  for (let i = 0; i < refs.length; i++) placeOf[refs[i]] = i;
  const fillOf = new Map();
  for (const fill of fills) fillOf.set(fill.lane, [...(fillOf.get(fill.lane) ?? []), fill]);

  // Rows: the hosts one after another; in each the store first, then whoever has to do with the finding ------------------
  const led = new Set(finding?.led);
  const rank = { store: 0, hypervisor: 2.5, connection: 3, actor: 3 };
  const ledLanes = new Set([...led].map((n) => m.lane[n]));
  const firstHost = finding?.host ?? 0;
  const busy = new Set();
  if (finding !== undefined) {
    const since = Math.min(finding.atNs, ...[...led].map((n) => m.atNs[n]));
    for (let i = 0; i < times.length; i++) if (times[i] >= since && times[i] <= finding.atNs) busy.add(laneAt[i]);
  }
  const rows = lanes
    .map((lane, n) => ({ ...lane, n, rank: ledLanes.has(n) ? 0.5 : rank[lane.kind] - (busy.has(n) ? 1.5 : 0) }))
    .concat(run.hosts.map((name, host) => ({ host, name: name === '' ? 'host' : name, kind: 'host', n: -1, rank: -2 })))
    .sort((a, b) => (a.host !== firstHost) - (b.host !== firstHost) || a.host - b.host || a.rank - b.rank || a.n - b.n);
  const rowOf = new Map(rows.map(({ n }, row) => [n, row]));

  // The page ------------------------------------------------------------------------------------------------------------
  const make = (tag, props = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), props);
    element.append(...children);
    return element;
  };
  const ms = (ns) => `${(ns / 1e6).toFixed(6).replace(/(\.\d{3})(\d{3})$/, '$1 $2')} ms`;
  const header = make(
    'header', {},
    make('h1', {}, `${run.title} `, make('span', { className: run.outcome, id: 'outcome' }, run.outcome)),
    make('span', { className: 'about' }, run.about),
  ); // biome-ignore format: as it looks
  const band = finding === undefined ? undefined : bands[finding.band];
  if (finding !== undefined) {
    const more = finding.more > 0 ? `  (and ${finding.more} more)` : '';
    const who = finding.actor === '' ? '' : `${finding.actor}: `;
    header.append(
      make(
        'p',
        { id: 'finding' },
        `${finding.invariant} is broken at ${ms(finding.atNs)} (seq ${finding.seq}): ${who}${finding.detail}${more}`,
      ),
    );
    const straddles = band && `${band.name} from ${ms(band.fromNs)} to ${ms(band.toNs)}`;
    header.append(make('p', { id: 'update' }, straddles ?? 'no update came before it'));
  }
  const button = (text, title, act) => make('button', { title, onclick: act }, text);
  const slider = make('input', {
    type: 'range',
    id: 'slider',
    min: 0,
    max: Math.max(0, refs.length - 1),
    value: 0,
    title: 'step through what happened',
  });
  const where = make('span', { id: 'where' });
  const search = make('input', { type: 'search', id: 'search', placeholder: 'path (/)', size: 24 });
  const found = make('span', { id: 'found' });
  const nav = make(
    'nav', {},
    button('◀', 'back (left)', () => step(-1)), button('▶', 'forth (right)', () => step(1)), slider, where, search, found,
    button('finding', 'f', () => showFinding()), button('update', 'u', () => nextBand()), button('all', '0', () => showAll()),
    button('+', '+', () => zoom(0.5)), button('−', '-', () => zoom(2)), button('theme', 't', () => turnTheme()),
  ); // biome-ignore format: as it looks
  const canvas = make('canvas', { tabIndex: 0, id: 'canvas' });
  const holder = make('div', { id: 'lanes' }, canvas);
  const side = make('aside', { id: 'side' });
  const footer = make(
    'footer',
    {},
    `← → step, shift: in this lane; + − zoom, 0 all; f finding, u next update, p the other half, / search, n N next; t theme. Again: ${run.replay}`,
  );
  document.body.append(header, nav, holder, side, footer);

  // What is in sight ----------------------------------------------------------------------------------------------------
  let fromNs = 0;
  let toNs = Math.max(1, run.endNs);
  let top = 0;
  let at = 0;
  let matches = [];
  let colours = {};
  let asked = false;
  const COLOURS = ['back', 'fore', 'dim', 'line', 'bad', 'band', 'trip', 'request', 'reply', 'event', 'led', 'fill'];
  const readColours = () => {
    const probe = make('span');
    document.body.append(probe);
    colours = Object.fromEntries(
      COLOURS.map((name) => {
        probe.style.color = `var(--${name})`;
        return [name, getComputedStyle(probe).color];
      }),
    );
    probe.remove();
  };
  const redraw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
  /** The first of ascending `list` that is not before `ns`. */
  const firstFrom = (list, ns) => {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] < ns) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const widthOf = () => Math.max(1, canvas.clientWidth - NAMES);
  const xOf = (ns) => NAMES + ((ns - fromNs) / (toNs - fromNs)) * widthOf();
  const yOf = (lane) => AXIS + rowOf.get(lane) * ROW + ROW / 2 - top;
  const colourOf = (ref) => {
    if (ref >= 2 * count) return colours.dim;
    const n = ref % count;
    return led.has(n) ? colours.led : colours[SORTS[m.sort[n]]];
  };

  function draw() {
    const { clientWidth: width, clientHeight: height } = holder;
    const dense = devicePixelRatio || 1;
    if (canvas.width !== width * dense || canvas.height !== height * dense) {
      canvas.width = width * dense;
      canvas.height = height * dense;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const c = canvas.getContext('2d');
    c.setTransform(dense, 0, 0, dense, 0, 0);
    c.fillStyle = colours.back;
    c.fillRect(0, 0, width, height);
    c.font = '12px system-ui, sans-serif';
    c.textBaseline = 'middle';
    drawBands(c);
    const first = firstFrom(times, fromNs);
    const last = firstFrom(times, toNs);
    const isNear = last - first <= ARROWS_MAX;
    for (const [row, { n }] of rows.entries()) {
      const y = AXIS + row * ROW + ROW / 2 - top;
      if (y < AXIS - ROW || y > height + ROW) continue;
      if (n < 0) continue;
      c.fillStyle = colours.line;
      c.fillRect(NAMES, y, width, 1);
      drawFill(c, n, y);
      if (!isNear) drawCrowd(c, n, y, width);
    }
    if (isNear) drawArrows(c, first, last);
    drawLed(c);
    if (isNear)
      for (let i = first; i < last; i++)
        dot(c, times[i], laneAt[i], colourOf(refs[i]), led.has(refs[i] % count) && refs[i] < 2 * count ? 4 : 2.5);
    drawMoments(c, height);
    drawNames(c, height, width);
  }

  function drawBands(c) {
    for (const { host, kind, fromNs: begin, toNs: end } of bands) {
      if (end < fromNs || begin > toNs) continue;
      const of = rows.filter((row) => row.host === host);
      const y = AXIS + rows.indexOf(of[0]) * ROW - top;
      const x = Math.max(NAMES, xOf(begin));
      c.fillStyle = kind === 'update' ? colours.band : colours.trip;
      c.fillRect(
        x,
        y,
        Math.max(2, Math.min(canvas.clientWidth, xOf(end)) - x),
        kind === 'update' ? of.length * ROW : ROW * 2,
      );
    }
    // A name that would lie on the one before it is left out: nearer by it has room.
    const ends = run.hosts.map(() => 0);
    for (const { name, host, fromNs: begin, toNs: end } of bands) {
      const x = Math.max(NAMES + 2, xOf(begin) + 2);
      if (end < fromNs || x < ends[host] || xOf(end) - x < 30 || x > canvas.clientWidth) continue;
      ends[host] = x + c.measureText(name).width + 12;
      c.fillStyle = colours.fore;
      const row = rows.findIndex((each) => each.host === host);
      c.fillText(name, x, AXIS + row * ROW + ROW / 2 - top);
    }
  }

  /** Requests that lie unread grow upwards from the line, replies and events downwards: half a row is a ring full. */
  function drawFill(c, lane, y) {
    for (const fill of fillOf.get(lane) ?? []) {
      const begin = Math.max(0, firstFrom(fill.atNs, fromNs) - 1);
      const end = Math.min(fill.atNs.length, firstFrom(fill.atNs, toNs) + 1);
      const high = (octets) => (Math.min(octets, RING) / RING) * (ROW / 2 - 1);
      let x = -1;
      let req = 0;
      let rsp = 0;
      const flush = () => {
        c.fillRect(x, y - high(req), 1, high(req));
        c.fillRect(x, y + 1, 1, high(rsp));
      };
      c.fillStyle = colours.fill;
      for (let i = begin; i < end; i++) {
        const from = Math.max(NAMES, Math.floor(xOf(fill.atNs[i])));
        const to = Math.min(canvas.clientWidth, Math.floor(xOf(fill.atNs[i + 1] ?? fill.atNs[i])));
        if (to > from + 1) {
          c.fillRect(from, y - high(fill.req[i]), to - from, high(fill.req[i]));
          c.fillRect(from, y + 1, to - from, high(fill.rsp[i]));
        }
        if (from !== x) {
          if (x >= 0) flush();
          x = from;
          req = 0;
          rsp = 0;
        }
        req = Math.max(req, fill.req[i]);
        rsp = Math.max(rsp, fill.rsp[i]);
      }
      if (x >= 0) flush();
    }
  }

  /** From afar: how much happened in each pixel of a lane. */
  function drawCrowd(c, lane, y, width) {
    const list = laneTimes[lane];
    let i = firstFrom(list, fromNs);
    c.fillStyle = colours.request;
    const step = (toNs - fromNs) / widthOf();
    let begin = NAMES;
    let strength = 0;
    const flush = (x, next) => {
      if (strength > 0) {
        c.globalAlpha = 0.25 + strength / 4;
        c.fillRect(begin, y - 4, x - begin, 8);
      }
      begin = x;
      strength = next;
    };
    for (let x = NAMES; x <= width; x++) {
      const next = x < width && i < list.length ? firstFrom(list, fromNs + (x - NAMES + 1) * step) : i;
      const now = next === i ? 0 : next - i < 4 ? 1 : next - i < 16 ? 2 : 3;
      if (now !== strength || x === width) flush(x, now);
      i = next;
    }
    c.globalAlpha = 1;
  }

  /** Add an arrow to the path. */
  const arrow = (c, a, laneA, b, laneB) => {
    if (a < 0 || b < 0) return;
    const [x, y] = [xOf(b), yOf(laneB)];
    c.moveTo(xOf(a), yOf(laneA));
    c.lineTo(x, y);
    const turn = Math.atan2(y - yOf(laneA), x - xOf(a));
    for (const side of [-0.4, 0.4]) {
      c.moveTo(x, y);
      c.lineTo(x - 6 * Math.cos(turn + side), y - 6 * Math.sin(turn + side));
    }
  };
  const traceMessage = (c, n) => {
    if (m.sort[n] === 0) arrow(c, m.atNs[n], m.lane[n], m.storeNs[n], m.store[n]);
    else arrow(c, m.storeNs[n], m.store[n], m.atNs[n], m.lane[n]);
  };
  /** From request to reply, and from what caused an event to the event, in the store's lane. */
  const traceServed = (c, n) => {
    const by = m.peer[n];
    if (m.sort[n] === 0 || by < 0 || m.storeNs[by] < 0 || m.storeNs[n] < 0) return;
    const [a, b, y] = [xOf(m.storeNs[by]), xOf(m.storeNs[n]), yOf(m.store[n])];
    c.moveTo(a, y);
    c.quadraticCurveTo((a + b) / 2, y - (m.sort[n] === 2 ? ROW : ROW / 2), b, y);
  };
  /** All arrows of one colour are one path: a stroke for each would take a hundred times as long. */
  const stroke = (c, all, colour, wide) => {
    c.strokeStyle = colour;
    c.lineWidth = wide;
    c.beginPath();
    for (const n of all) {
      traceMessage(c, n);
      traceServed(c, n);
    }
    c.stroke();
  };
  const clipped = (c, act) => {
    c.save();
    c.beginPath();
    c.rect(NAMES, AXIS, canvas.clientWidth, canvas.clientHeight);
    c.clip();
    act();
    c.restore();
  };

  function drawArrows(c, first, last) {
    const seen = new Set();
    for (let i = first; i < last; i++) if (refs[i] < 2 * count) seen.add(refs[i] % count);
    clipped(c, () => {
      c.globalAlpha = 0.55;
      for (const [sort, name] of SORTS.entries())
        stroke(
          c,
          [...seen].filter((n) => m.sort[n] === sort),
          colours[name],
          1,
        );
      c.globalAlpha = 1;
    });
  }

  function drawLed(c) {
    clipped(c, () => {
      stroke(c, led, colours.led, 2);
      for (const n of led) dot(c, m.atNs[n], m.lane[n], colours.led, 4);
      const n = messageAt(at);
      if (n !== undefined) stroke(c, m.peer[n] < 0 ? [n] : [n, m.peer[n]], colours.fore, 2);
    });
  }

  function dot(c, ns, lane, colour, size) {
    const x = xOf(ns);
    if (x < NAMES || x > canvas.clientWidth) return;
    c.fillStyle = colour;
    c.beginPath();
    c.arc(x, yOf(lane), size, 0, 7);
    c.fill();
  }

  function drawMoments(c, height) {
    const upright = (ns, colour) => {
      const x = xOf(ns);
      if (x < NAMES) return;
      c.fillStyle = colour;
      c.fillRect(x - 0.5, AXIS, 1.5, height);
    };
    if (finding !== undefined) {
      upright(finding.atNs, colours.bad);
      c.fillText(
        `${finding.invariant}, seq ${finding.seq}`,
        Math.max(NAMES, Math.min(xOf(finding.atNs) + 4, canvas.clientWidth - 170)),
        height - 10,
      );
    }
    if (times.length > 0) {
      upright(times[at], colours.fore);
      clipped(c, () => {
        c.strokeStyle = colours.fore;
        c.lineWidth = 2;
        c.strokeRect(xOf(times[at]) - 6, yOf(laneAt[at]) - 6, 12, 12);
      });
    }
    for (const i of matches) dot(c, times[i], laneAt[i], colours.bad, 3);
  }

  function drawNames(c, height, width) {
    c.fillStyle = colours.back;
    c.fillRect(0, 0, NAMES, height);
    c.fillRect(0, 0, width, AXIS);
    c.fillStyle = colours.line;
    c.fillRect(NAMES, 0, 1, height);
    c.fillRect(0, AXIS, width, 1);
    for (const [row, { host, name, n }] of rows.entries()) {
      const y = AXIS + row * ROW + ROW / 2 - top;
      if (y < AXIS + 6 || y > height) continue;
      c.fillStyle = ledLanes.has(n) ? colours.led : n < 0 ? colours.dim : colours.fore;
      c.fillText(run.hosts.length > 1 && n >= 0 ? `${run.hosts[host]} ${name}` : name, 8, y, NAMES - 14);
    }
    c.fillStyle = colours.dim;
    const rough = (toNs - fromNs) / 6;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const gap = [1, 2, 5, 10].map((k) => k * unit).find((k) => k >= rough) ?? rough;
    for (let ns = Math.ceil(fromNs / gap) * gap; ns < toNs; ns += gap) {
      c.fillRect(xOf(ns), AXIS - 5, 1, 5);
      c.fillText(`${(ns / 1e6).toFixed(Math.max(0, 6 - Math.floor(Math.log10(gap))))} ms`, xOf(ns) + 3, AXIS / 2);
    }
  }

  // What a place says ---------------------------------------------------------------------------------------------------
  const messageAt = (i) => (refs[i] !== undefined && refs[i] < 2 * count ? refs[i] % count : undefined);
  const shown = (payload) =>
    payload
      .replaceAll('\0', '\\0')
      .replace(/[\x01-\x1f\x7f-\xff]/g, (s) => `\\x${s.charCodeAt(0).toString(16).padStart(2, '0')}`);
  const nameOf = (n) => `${TYPES[m.type[n]] ?? m.type[n]} req_id ${m.reqId[n]} tx ${m.txId[n]}`;
  /** The octets as they crossed the ring: a header of four little-endian u32, and the payload. */
  const octetsOf = (n) => {
    const payload = m.payload[n];
    const octets = new Uint8Array(16 + payload.length);
    const header = new DataView(octets.buffer);
    for (const [i, word] of [m.type[n], m.reqId[n], m.txId[n], payload.length].entries())
      header.setUint32(4 * i, word, true);
    for (let i = 0; i < payload.length; i++) octets[16 + i] = payload.charCodeAt(i);
    return octets;
  };
  const dump = (octets) => {
    const lines = [];
    for (let i = 0; i < octets.length; i += 8) {
      const part = [...octets.subarray(i, i + 8)];
      const hex = part.map((b) => b.toString(16).padStart(2, '0')).join(' ');
      lines.push(
        `${i.toString(16).padStart(4, '0')}  ${hex.padEnd(23)}  ${part.map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : '.')).join('')}`,
      );
    }
    return lines.join('\n');
  };
  const table = (entries) =>
    make('table', {}, ...entries.map(([a, b]) => make('tr', {}, make('td', {}, a), make('td', {}, b))));
  const link = (text, n) => make('a', { onclick: () => go(placeOf[n], true) }, text);

  function tell() {
    side.replaceChildren();
    const ref = refs[at];
    if (ref === undefined) return side.append('nothing was recorded');
    const n = messageAt(at);
    if (n === undefined) {
      const { what, seq } = happenings[ref - 2 * count];
      side.append(
        make('h2', {}, what),
        table([
          ['at', ms(times[at])],
          ['seq', String(seq)],
          ['lane', lanes[laneAt[at]].name],
        ]),
      );
    } else tellMessage(n);
    const full = [...fillOf].flatMap(([lane, list]) =>
      list.flatMap((fill) => {
        const i = firstFrom(fill.atNs, times[at] + 1) - 1;
        return i < 0 || fill.req[i] + fill.rsp[i] === 0
          ? []
          : [[lanes[lane].name, `${fill.req[i]} octets of requests, ${fill.rsp[i]} of replies unread`]];
      }),
    );
    if (full.length > 0) side.append(make('h3', {}, 'on their way at this moment'), table(full));
    where.textContent = `${ms(times[at])}  ${at + 1} of ${refs.length}`;
  }

  function tellMessage(n) {
    const [sort, peer] = [m.sort[n], m.peer[n]];
    const stored = sort === 0 ? 'taken' : 'written';
    side.append(
      make('h2', {}, `${SORTS[sort]} ${nameOf(n)}`),
      table([
        ['who', lanes[m.lane[n]].name],
        [sort === 0 ? 'sent' : 'came', `${ms(m.atNs[n])}, seq ${m.seq[n]}`],
        [stored, m.storeNs[n] < 0 ? 'never' : ms(m.storeNs[n])],
        ...(m.path[n] === '' ? [] : [['path', m.path[n]]]),
        ['payload', shown(m.payload[n])],
        ...(led.has(n) ? [['', 'led to the finding']] : []),
      ]),
    );
    if (peer >= 0)
      side.append(
        make('h3', {}, sort === 0 ? 'its reply' : sort === 1 ? 'its request' : 'caused by, most likely'),
        link(`${nameOf(peer)}: ${shown(m.payload[peer].slice(0, 120))}`, peer),
      );
    else
      side.append(
        make(
          'h3',
          {},
          sort === 0 ? 'no reply came' : sort === 1 ? 'its request is not known' : 'its cause is not known',
        ),
      );
    side.append(
      make('h3', {}, `octets: type ${m.type[n]}, req_id ${m.reqId[n]}, tx_id ${m.txId[n]}, len ${m.payload[n].length}`),
      make('pre', { id: 'octets' }, dump(octetsOf(n))),
    );
  }

  // Moves ---------------------------------------------------------------------------------------------------------------
  function go(i, isSeen) {
    if (i < 0 || i >= refs.length) return;
    at = i;
    slider.value = i;
    if (isSeen) see(times[i], laneAt[i]);
    tell();
    redraw();
  }
  function see(ns, lane) {
    const half = (toNs - fromNs) / 2;
    if (ns < fromNs || ns > toNs) [fromNs, toNs] = [ns - half, ns + half];
    const y = rowOf.get(lane) * ROW;
    const room = holder.clientHeight - AXIS;
    if (y < top) top = y;
    else if (y + ROW > top + room) top = y + ROW - room;
  }
  const step = (by) => go(at + by, true);
  const stepInLane = (by) => {
    const lane = byLane[laneAt[at]];
    go(lane[lane.indexOf(at) + by] ?? -1, true);
  };
  function zoom(by, ns = times[at] ?? 0) {
    const least = 200;
    const wide = Math.max(least, Math.min(run.endNs * 2, (toNs - fromNs) * by));
    const share = Math.max(0, Math.min(1, (ns - fromNs) / (toNs - fromNs)));
    [fromNs, toNs] = [ns - share * wide, ns + (1 - share) * wide];
    redraw();
  }
  function showAll() {
    [fromNs, toNs] = [0, Math.max(1, run.endNs)];
    redraw();
  }
  /** What led to the finding, the update that it straddles, and the finding, all in sight. */
  function showFinding() {
    if (finding === undefined) return showAll();
    const moments = [finding.atNs, ...(band === undefined ? [] : [band.fromNs, Math.min(band.toNs, finding.atNs)])];
    for (const n of led) if (m.atNs[n] >= 0 && m.atNs[n] <= finding.atNs) moments.push(m.atNs[n]);
    const [begin, end] = [Math.min(...moments), Math.max(...moments)];
    const margin = Math.max(20_000, (end - begin) * 0.12);
    [fromNs, toNs] = [begin - margin, end + margin];
    top = 0;
    const last = [...led].filter((n) => m.seq[n] <= finding.seq).at(-1);
    go(last === undefined ? firstFrom(times, finding.atNs) : placeOf[last], false);
    redraw();
  }
  function nextBand() {
    const next = bands.find(({ fromNs: begin }) => begin > times[at]) ?? bands[0];
    if (next === undefined) return;
    const wide = Math.max(20_000, next.toNs - next.fromNs);
    [fromNs, toNs] = [next.fromNs - wide / 4, next.toNs + wide / 4];
    go(Math.min(refs.length - 1, firstFrom(times, next.fromNs)), false);
  }
  function turnTheme() {
    const root = document.documentElement;
    const isDark =
      root.dataset.theme === 'dark' ||
      (root.dataset.theme === undefined && matchMedia('(prefers-color-scheme: dark)').matches);
    root.dataset.theme = isDark ? 'light' : 'dark';
    readColours();
    redraw();
  }
  function find() {
    const text = search.value;
    matches = [];
    if (text !== '')
      for (let i = 0; i < refs.length; i++) if (refs[i] < count && m.path[refs[i]].includes(text)) matches.push(i);
    found.textContent = text === '' ? '' : `${matches.length} found`;
    redraw();
  }
  const nextMatch = (isBack) =>
    go((isBack ? matches.findLast((i) => i < at) : matches.find((i) => i > at)) ?? -1, true);

  slider.oninput = () => go(Number(slider.value), true);
  search.oninput = find;
  search.onkeydown = (event) => {
    if (event.key === 'Enter') nextMatch(event.shiftKey);
    if (event.key === 'Escape' || event.key === 'Enter') canvas.focus();
    event.stopPropagation();
  };
  const KEYS = {
    '+': () => zoom(0.5), '=': () => zoom(0.5), '-': () => zoom(2), 0: showAll, f: showFinding, u: nextBand, t: turnTheme,
    n: () => nextMatch(false), N: () => nextMatch(true), '/': () => search.focus(),
    p: () => { const n = messageAt(at); if (n !== undefined) go(placeOf[m.peer[n]] ?? -1, true); },
    ArrowUp: () => scroll(-ROW), ArrowDown: () => scroll(ROW), Home: () => go(0, true), End: () => go(refs.length - 1, true),
  }; // biome-ignore format: a table
  document.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by !== undefined) (event.shiftKey ? stepInLane : step)(by);
    else if (KEYS[event.key] !== undefined) KEYS[event.key]();
    else return;
    event.preventDefault();
  };
  function scroll(by) {
    top = Math.max(0, Math.min(rows.length * ROW + AXIS - holder.clientHeight + ROW, top + by));
    redraw();
  }
  const nsAt = (x) => fromNs + ((x - NAMES) / widthOf()) * (toNs - fromNs);
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      if (event.ctrlKey || event.altKey) zoom(event.deltaY > 0 ? 1.25 : 0.8, nsAt(event.offsetX));
      else {
        const by = (event.deltaX / widthOf()) * (toNs - fromNs);
        [fromNs, toNs] = [fromNs + by, toNs + by];
        scroll(event.deltaY);
      }
    },
    { passive: false },
  );
  let held;
  canvas.onpointerdown = (event) => {
    held = { x: event.offsetX, y: event.offsetY, from: fromNs, to: toNs, top, isMoved: false };
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (held === undefined) return;
    const by = event.offsetX - held.x;
    if (Math.abs(by) + Math.abs(event.offsetY - held.y) < 4 && !held.isMoved) return;
    held.isMoved = true;
    const ns = (by / widthOf()) * (held.to - held.from);
    [fromNs, toNs] = [held.from - ns, held.to - ns];
    top = held.top;
    scroll(held.y - event.offsetY);
  };
  canvas.onpointerup = (event) => {
    if (held?.isMoved === false) pick(event.offsetX, event.offsetY);
    held = undefined;
  };
  /** The nearest point of the lane. */
  function pick(x, y) {
    const row = rows[Math.floor((y - AXIS + top) / ROW)];
    if (row === undefined || row.n < 0) return;
    const near = firstFrom(laneTimes[row.n], nsAt(x));
    const ns = nsAt(x);
    const [before, after] = [laneTimes[row.n][near - 1], laneTimes[row.n][near]];
    const i = after === undefined || (before !== undefined && ns - before < after - ns) ? near - 1 : near;
    if (byLane[row.n][i] !== undefined) go(byLane[row.n][i], false);
  }

  new ResizeObserver(redraw).observe(holder);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    readColours();
    redraw();
  });
  readColours();
  if (finding === undefined) go(0, false);
  else showFinding();
  draw();
  canvas.focus();
  document.body.dataset.ready = 'yes';
})();
