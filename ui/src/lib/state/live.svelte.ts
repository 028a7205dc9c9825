// The live output of one mirror: what the events of a sync become on screen. Kept until it is dismissed, or old.

import { SvelteMap } from 'svelte/reactivity';

import type { Aspect } from '../bindings/Aspect';
import type { Error as Failure } from '../bindings/Error';
import type { MirrorType } from '../bindings/MirrorType';
import type { Stamped } from '../bindings/Stamped';
import type { Tone } from '../bindings/Tone';
import { ASPECTS, aspectWord, changeTips, changeWords, deedOf, summaryWord } from '../words/words';
import { bytes, counted, duration } from '../words/time';

export interface Line {
  key: number;
  at: string;
  tone: Tone | 'plain';
  /** Lines that belong to an aspect stand together, indented below its own. */
  aspect: Aspect | null;
  depth: 0 | 1;
  text: string;
  /** After the text, in a fixed-width font. */
  figure: string;
  hint: string;
}

export interface Bar {
  phase: string;
  done: number;
  total: number | null;
}

/** How an aspect stands in the one line of a sync. */
interface Stand {
  tone: Tone;
  detail: string;
}

/** How long output is kept after its end, in milliseconds. */
export const FORGET_AFTER = 24 * 3_600_000;

/** A first sync may make thousands of changes; the history has them all, the page keeps the latest. */
const KEPT_LINES = 400;

export class LiveRun {
  lines = $state<Line[]>([]);
  /** How many lines were dropped at the top. */
  dropped = $state(0);
  bars = new SvelteMap<Aspect, Bar>();
  active = $state(true);
  startedIso = $state<string | null>(null);
  /** Another process holds the mirror, or its host allows no request for a while. */
  waiting = $state(false);
  /** How it ended, once it has. */
  ended = $state<Tone | null>(null);
  endedAt = $state<number | null>(null);
  stands = new SvelteMap<Aspect, Stand>();
  #chosen = $state<boolean | null>(null);
  #folded = $state(false);
  #share = 0;
  #tries = new Map<Aspect, number>();
  #said = new Set<string>();
  #key = 0;
  #retry = -1;
  #aspectLines = new Map<Aspect, number>();
  #type: MirrorType | undefined;
  #changes = new Map<Aspect, number>();

  constructor(
    readonly repository: string,
    readonly mirror: string,
  ) {}

  #add(
    at: string,
    tone: Line['tone'],
    text: string,
    more: Partial<Pick<Line, 'aspect' | 'depth' | 'figure' | 'hint'>> = {},
  ): number {
    this.#key += 1;
    const line: Line = { key: this.#key, at, tone, text, aspect: null, depth: 0, figure: '', hint: '', ...more };
    // Aspects are applied side by side; what belongs together is shown together.
    const before = line.aspect ? this.lines.findLastIndex((known) => known.aspect === line.aspect) : -1;
    if (before < 0) this.lines.push(line);
    else this.lines.splice(before + 1, 0, line);
    if (this.lines.length > KEPT_LINES) {
      const surplus = this.lines.length - KEPT_LINES;
      this.lines.splice(0, surplus);
      this.dropped += surplus;
    }
    return this.#key;
  }

  /** Draws one event that belongs to this mirror. */
  hear(event: Stamped): void {
    // Whatever the run of this mirror does, it waits no more. What is read of the source is everybody's.
    if ('mirror' in event && event.mirror === this.mirror && event.event !== 'notice') this.waiting = false;
    switch (event.event) {
      case 'job_started':
        this.#add(event.at_iso, 'running', `Syncing ${counted(event.job.mirrors.length, 'mirror')}…`);
        break;
      case 'run_waiting':
        this.waiting = true;
        this.#add(event.at_iso, 'waiting', `Waiting for ${event.holder}`);
        break;
      case 'run_retrying': {
        // One line for all tries: what is met with again need not be read again, nor what an aspect says already.
        this.#dropRetry();
        const wait = event.wait_seconds > 0 ? ` in ${event.wait_seconds} s` : '';
        const told = this.lines.some((line) => line.text.includes(event.error.message));
        const why = told ? '' : `: ${event.error.message}`;
        this.#retry = this.#add(event.at_iso, 'waiting', `Try ${event.attempt} of ${event.of}${wait}${why}`);
        break;
      }
      case 'run_started':
        this.startedIso = event.at_iso;
        this.#type = event.type;
        this.#add(event.at_iso, 'plain', event.repo);
        break;
      case 'aspect_started':
        this.#beginAspect(event.at_iso, event.aspect);
        break;
      case 'progress':
        this.bars.set(event.aspect, { phase: event.phase, done: event.done, total: event.total });
        break;
      case 'change': {
        const done = event.outcome.outcome === 'done';
        this.#changes.set(event.change.aspect, (this.#changes.get(event.change.aspect) ?? 0) + 1);
        const text = changeWords(event.change, done);
        if (event.outcome.outcome === 'done') {
          this.#add(event.at_iso, 'plain', text, {
            aspect: event.change.aspect,
            depth: 1,
            figure: changeTips(event.change),
          });
        } else {
          const { message, hint } = event.outcome.error;
          this.#add(event.at_iso, 'failed', `${text}: ${message}`, { aspect: event.change.aspect, depth: 1, hint });
        }
        break;
      }
      case 'notice':
        // A second try finds what the first found.
        if (this.#said.has(event.notice.message)) break;
        this.#said.add(event.notice.message);
        this.#add(event.at_iso, 'waiting', event.notice.message, { depth: 1, hint: event.notice.hint });
        break;
      case 'aspect_finished':
        this.#finishAspect(event);
        break;
      case 'run_finished': {
        this.bars.clear();
        const { changes, api_requests, gh_calls, git_calls, bytes_sent } = event.totals;
        const cost = [
          counted(changes, 'change'),
          counted(api_requests, 'request'),
          counted(git_calls, 'git call'),
          ...(gh_calls > 0 ? [counted(gh_calls, 'gh call')] : []),
          ...(bytes_sent > 0 ? [`${bytes(bytes_sent)} sent`] : []),
        ].join(' · ');
        const time = this.startedIso ? ` in ${duration(this.startedIso, event.at_iso)}` : '';
        if (event.status === 'success') {
          this.#add(event.at_iso, 'ok', `Done${time}`, { figure: cost });
          this.end('ok');
        } else if (event.status === 'blocked') {
          this.#add(event.at_iso, 'waiting', `Waits for a decision${time}`, { figure: cost });
          this.end('waiting');
        } else if (event.error) this.fail(event.at_iso, event.error);
        else {
          this.#add(event.at_iso, 'failed', `Failed${time}`, { figure: cost });
          this.end('failed');
        }
        break;
      }
      case 'job_ended':
        this.end(this.ended ?? 'unknown');
        break;
      // A change of master belongs to the repository, not to a mirror.
      case 'role_change_started':
      case 'role_step':
      case 'schedule':
        break;
    }
  }

  #dropRetry(): void {
    this.lines = this.lines.filter((line) => line.key !== this.#retry);
  }

  /** An aspect that is begun again in the same run is tried again: its line is used anew, and says why. */
  #beginAspect(at: string, aspect: Aspect): void {
    const tries = (this.#tries.get(aspect) ?? 0) + 1;
    this.#tries.set(aspect, tries);
    this.#changes.set(aspect, 0);
    this.stands.delete(aspect);
    const deed = deedOf(this.#type, aspect);
    const place = this.lines.find((line) => line.key === this.#aspectLines.get(aspect));
    if (!place) {
      this.#aspectLines.set(aspect, this.#add(at, 'running', `${deed}…`, { aspect }));
      return;
    }
    this.#dropRetry();
    // What the failed try told stands in one line now; what it did is kept.
    this.lines = this.lines.filter((line) => line.aspect !== aspect || line.depth === 0 || line.tone !== 'failed');
    const again = this.lines.find((line) => line.key === place.key);
    if (!again) return;
    const why = again.text.startsWith(`${deed}: `) ? again.text.slice(deed.length + 2) : '';
    Object.assign(again, { at, tone: 'running', figure: '', hint: '' });
    again.text = why ? `${deed}, try ${tries}: ${why}` : `${deed}, try ${tries}…`;
  }

  #finishAspect(event: Extract<Stamped, { event: 'aspect_finished' }>): void {
    this.bars.delete(event.aspect);
    const { report } = event;
    const deed = deedOf(this.#type, event.aspect);
    const detail = report.detail ?? '';
    const tone: Tone =
      report.status === 'ok'
        ? 'ok'
        : report.status === 'failed'
          ? 'failed'
          : report.status === 'blocked'
            ? 'waiting'
            : 'unknown';
    const nothing = report.status === 'ok' && !this.#changes.get(event.aspect);
    const words = nothing ? `${deed}: nothing to change` : report.error ? `${deed}: ${report.error}` : deed;
    this.stands.set(event.aspect, { tone, detail });
    const place = this.lines.find((line) => line.key === this.#aspectLines.get(event.aspect));
    if (place) {
      place.tone = tone;
      place.text = words;
      place.figure = detail;
      place.hint = report.hint ?? '';
    } else {
      this.#add(event.at_iso, tone, words, { figure: detail, hint: report.hint ?? '' });
    }
  }

  /** The sync ended before or outside its aspects. */
  fail(at: string, error: Failure): void {
    const tone = error.code === 'cancelled' ? 'unknown' : 'failed';
    this.#add(at, tone, error.message, { hint: error.hint });
    this.end(tone);
  }

  /** Nothing more will come. */
  end(how: Tone): void {
    if (this.active) this.endedAt = Date.now();
    this.ended = how;
    this.active = false;
    this.waiting = false;
    this.bars.clear();
    for (const line of this.lines) if (line.tone === 'running') line.tone = 'plain';
  }

  /** How far it is with so many aspects to do, in whole percent that never fall; `null` where nothing is known yet. */
  percent(aspects: number): number | null {
    let done = this.stands.size;
    for (const [aspect, { done: parts, total }] of this.bars) {
      if (total && !this.stands.has(aspect)) done += Math.min(1, parts / total);
    }
    this.#share = Math.max(this.#share, aspects > 0 ? done / aspects : 0);
    return this.#share > 0 ? Math.min(99, Math.floor(this.#share * 100)) : null;
  }

  /** Where it is, in one line: `Pushing 3/9 · Secrets 5/5`. */
  get summary(): string {
    if (this.waiting) return this.lines.findLast((line) => line.tone === 'waiting')?.text ?? 'Waiting';
    if (!this.active) return this.lines.at(-1)?.text ?? '';
    const parts = ASPECTS.flatMap((aspect) => {
      const bar = this.bars.get(aspect);
      const stand = this.stands.get(aspect);
      if (bar) return [`${this.#doing(aspect, bar.phase)} ${bar.done}${bar.total === null ? '' : `/${bar.total}`}`];
      if (!stand) return [];
      if (stand.tone === 'ok') return [`${aspectWord[aspect]} ${aspect === 'code' ? 'done' : stand.detail}`.trim()];
      return [`${aspectWord[aspect]} ${summaryWord[stand.tone]}`];
    });
    return parts.join(' · ') || 'Looking…';
  }

  #doing(aspect: Aspect, phase: string): string {
    if (aspect !== 'code') return aspectWord[aspect];
    if (phase.startsWith('fetching')) return 'Fetching';
    return this.#type === 'pull' ? 'Pulling' : 'Pushing';
  }

  /** What is said beside the line of its end: what it cost. */
  get cost(): string {
    return this.active ? '' : (this.lines.at(-1)?.figure ?? '');
  }

  /** Whether its lines are to be seen: as one chose for this run, else as one wants it, until it folds by itself. */
  isUnfolded(wanted: boolean): boolean {
    return this.#chosen ?? (wanted && !this.#folded);
  }

  unfold(shown: boolean): void {
    this.#chosen = shown;
  }

  /** All went well a while ago: what a person left unfolded folds, and may be unfolded again. */
  fold(): void {
    this.#folded = true;
    this.#chosen = null;
  }

  /** Whether nobody needs it any more. */
  isForgotten(now: number): boolean {
    return this.endedAt !== null && now - this.endedAt >= FORGET_AFTER;
  }
}
