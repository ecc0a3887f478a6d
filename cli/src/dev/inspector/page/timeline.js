// Draws a call as a timeline: its states and prompts over time, the webhooks in order of arrival, and what is missing
// between them. Distances are logarithmic in time, so that events within a second and a conversation of ten minutes fit
// side by side.

import { moments, name, phases, plays } from './calls.js';
import { lasting, s, visible } from './dom.js';
import { APPLICATION_MARKS, applicationResult } from './forwarding.js';

const GUTTER = 66;
const END = 84;
const BAR = 24;
const DOT = 10;
const LANES = { call: 14, plays: 50, media: 86, webhooks: 134, time: 170 };
const HEIGHT = 184;
/** With an application that events are posted to, the times are further down. */
const APPLICATION = { lane: 178, height: 28 };

/** The horizontal position of each event. */
const places = (call, width) => {
  const steps = call.order.map((event, at) => {
    if (at === 0) return event.missing.length ? 74 : 0;
    if (event.duplicateOf === call.order[at - 1] || event.duplicateOf && call.order[at - 1].duplicateOf === event.duplicateOf) return 25;
    const seconds = Math.max(0, event.at - call.order[at - 1].at) / 1000;
    return 54 + 15 * Math.log2(1 + seconds) + (event.missing.length ? 70 : 0);
  });
  const natural = steps.reduce((sum, step) => sum + step, 0);
  const room = width - GUTTER - END - 2 * DOT - 2;
  const stretch = natural > 0 ? Math.min(2.4, Math.max(0.8, room / natural)) : 1;
  let x = GUTTER + 2 * DOT;
  const at = new Map();
  call.order.forEach((event, index) => {
    x += steps[index] * stretch;
    at.set(event, x);
  });
  return { at, end: x + END };
};

/** Truncates small text to a width in pixels. */
const fitting = (text, pixels) => {
  const most = Math.floor((pixels - 9) / 5.5);
  const shown = visible(text);
  return shown.length <= most ? shown : most < 3 ? '' : `${shown.slice(0, most - 1)}…`;
};

const bar = (x, y, width, kind, label, title, room = width) =>
  s('g', { class: `span ${kind}` },
    s('title', {}, visible(title)),
    s('rect', { x, y, width: Math.max(width, 6), height: BAR, rx: 5 }),
    s('text', { x: x + 7, y: y + 16 }, fitting(label, room)));

const lane = (label, y) => s('text', { class: 'lane', x: 0, y }, label);

const drawPhases = (call, at, end) => phases(call).map(({ event, name: label, to, isEnd }) => {
  const from = at.get(event);
  const until = to ? at.get(to) - 2 : isEnd ? from + END - 12 : end;
  return bar(from, LANES.call, until - from, `phase-${label}${!to && !isEnd ? ' open' : ''}`, isEnd ? 'ended' : label,
    to ? `${label}, ${lasting(to.at - event.at)}` : label);
});

const drawPlays = (call, at, end) => plays(call).map(({ from, to, prompt, result }, index, all) => {
  const x = from ? at.get(from) : at.get(to) - 40;
  const until = to ? at.get(to) : end;
  const label = result ? `${prompt}: ${result}` : prompt;
  const next = all[index + 1] ? at.get(all[index + 1].from ?? all[index + 1].to) : end;
  return bar(x, LANES.plays, until - x - 2, `play${from && to ? '' : ' open'}`, label, label, Math.max(next, until) - x - 2);
});

const MOMENTS = {
  recording_complete: 'recording', stream_started: 'stream on', stream_stopped: 'stream off', broadcastcall_complete: 'complete',
};

const momentLabel = (event) =>
  (event.digit ? `pressed ${event.digit}` : MOMENTS[event.state] ?? event.state.replaceAll('_', ' '));

const drawMoments = (call, at, end) => {
  const all = moments(call);
  return all.map((event, index) => {
    const x = at.get(event);
    const next = all[index + 1] ? at.get(all[index + 1]) : end + 40;
    return s('g', { class: 'moment' },
      s('title', {}, visible(event.state)),
      s('path', { d: `M${x} ${LANES.media + 5}l6 7l-6 7l-6 -7z` }),
      s('text', { x: x + 10, y: LANES.media + 16 }, fitting(momentLabel(event), next - x - 6)));
  });
};

const drawGaps = (call, at) => call.happened.filter((event) => event.missing.length).map((event) => {
  const width = 62;
  const x = at.get(event) - width - 6;
  const y = event.playstate ? LANES.plays : event.state && !/record|stream/.test(event.state) ? LANES.call : LANES.media;
  const what = event.missing.map((missing) => missing.replace(/^(call|play)\./, '')).join(', ');
  return s('g', { class: 'gap' },
    s('title', {}, `Missing: ${event.missing.join(', ')}`),
    s('rect', { x, y, width, height: BAR, rx: 5 }),
    s('text', { x: x + 6, y: y + 16 }, fitting(`${what}?`, width + 6)));
});

const mark = (event) => event.duplicateOf ? 'duplicate' : event.after ? 'late' : event.webhook.failed ? 'failed' : 'plain';

const drawWebhooks = (call, at, open) => call.order.map((event) => {
  const x = at.get(event);
  return s('g', { class: `dot ${mark(event)}`, on: { click: () => open(event.webhook.id) } },
    s('title', {}, visible(`${event.number}: ${name(event)}${event.duplicateOf ? ` (duplicate of ${event.duplicateOf.number})` : ''}${event.after ? ' (arrived late)' : ''}`)),
    s('line', { x1: x, x2: x, y1: LANES.call, y2: LANES.webhooks - DOT }),
    s('circle', { cx: x, cy: LANES.webhooks, r: DOT }),
    s('text', { x, y: LANES.webhooks + 4 }, String(event.number)));
});

/** Arrows from where a late event was expected to where it is. */
const drawLate = (call, at) => call.order.filter((event) => event.after && !event.duplicateOf).map((event) => {
  const [from, to] = [at.get(event.after), at.get(event)];
  const y = LANES.webhooks + DOT + 2;
  return s('path', { class: 'late-arrow', 'marker-end': 'url(#late-head)', d: `M${from} ${y}C${from} ${y + 20} ${to} ${y + 20} ${to} ${y + 3}` });
});

const drawApplication = (call, at, open) => call.order.filter(({ webhook }) => webhook.forwarding).map((event) => {
  const { number, webhook } = event;
  const x = at.get(event);
  const { state } = webhook.forwarding;
  return s('g', { class: `application-mark ${state}`, on: { click: () => open(webhook.id) } },
    s('title', {}, visible(`${number}: your application ${applicationResult(webhook.forwarding)}`)),
    s('circle', { cx: x, cy: APPLICATION.lane, r: DOT - 2 }),
    s('text', { x, y: APPLICATION.lane + 4 }, APPLICATION_MARKS[state]));
});

/** What the application did with the events, in words. */
const applicationSummary = (call) => {
  const states = call.order.map(({ webhook }) => webhook.forwarding?.state).filter(Boolean);
  const of = (state) => states.filter((other) => other === state).length;
  return states.length ? ` Your application has taken ${of('taken')}, ${of('open')} are posted, ${of('given_up')} were given up.` : '';
};

const drawTimes = (call, at, y) => {
  let last = -Infinity;
  return call.order.filter((event) => !event.duplicateOf).map((event) => {
    const x = at.get(event);
    if (x - last < 52) return [];
    last = x;
    const after = event.at - call.began;
    return s('text', { class: 'time', x, y }, after ? `+${lasting(after)}` : '0 s');
  });
};

/** Draws the timeline; clicking a webhook calls `open` with its number. */
export const timeline = (call, width, open) => {
  const { at, end } = places(call, width);
  const total = Math.max(width, end);
  const lower = call.order.some(({ webhook }) => webhook.forwarding) ? APPLICATION.height : 0;
  const height = HEIGHT + lower;
  const summary = `Timeline of the call: ${call.order.filter((event) => !event.duplicateOf).map((event) => `${name(event)} after ${lasting(event.at - call.began)}`).join(', ')}. `
    + `${call.notices.length ? call.notices.flatMap((notice) => notice.lines).join(' ') : 'No issues.'}${applicationSummary(call)}`;
  return s('svg', { class: 'timeline', role: 'img', 'aria-label': visible(summary), width: total, height, viewBox: `0 0 ${total} ${height}` },
    s('defs', {},
      s('pattern', { id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
        s('line', { class: 'hatch', x1: 0, y1: 0, x2: 0, y2: 6 })),
      s('marker', { id: 'late-head', viewBox: '0 0 8 8', refX: 4, refY: 4, markerWidth: 6, markerHeight: 6, orient: 'auto' },
        s('path', { class: 'late-head', d: 'M0 0L8 4L0 8z' }))),
    lane('Call', LANES.call + 16), lane('Prompts', LANES.plays + 16), lane('Other', LANES.media + 16), lane('Webhooks', LANES.webhooks + 4),
    lower > 0 && [lane('Your app', APPLICATION.lane + 4), drawApplication(call, at, open)],
    drawWebhooks(call, at, open), drawPhases(call, at, end), drawPlays(call, at, end), drawMoments(call, at, end),
    drawGaps(call, at), drawLate(call, at), drawTimes(call, at, LANES.time + lower + 10));
};
