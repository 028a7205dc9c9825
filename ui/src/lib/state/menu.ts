// What the window's own menu offers, by what was pointed at.

import type { MirrorReport } from '../bindings/MirrorReport';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import { isMaster, waitsForHandBack } from '../words/words';
import { copyText } from './copy';
import { canSync } from './everything';
import type { MirrorDeed, WindowState } from './window.svelte';

export interface Entry {
  label: string;
  disabled?: boolean;
  run(): void;
}

function copying(view: WindowState, label: string, what: string, text: string): Entry {
  return {
    label,
    run: () =>
      void copyText(text).then((copied) => (view.announcement = copied ? `${what} copied` : `${what} was not copied`)),
  };
}

/** Each error of a mirror with what to do about it, as it stands on the card. */
function errors(view: WindowState, report: RepositoryReport, mirror: MirrorReport): string[] {
  const all = [
    view.refusalOf(report.repository, mirror.id) ?? mirror.error,
    ...[mirror.code, mirror.secrets, mirror.variables, mirror.workflows].map((aspect) =>
      aspect.error === undefined ? undefined : { message: aspect.error, hint: aspect.hint ?? '' },
    ),
  ];
  const texts = all.flatMap((error) => (error ? [[error.message, error.hint].filter(Boolean).join('\n')] : []));
  return [...new Set(texts)];
}

/** What changes the configuration. The source that waits for its hand-back is no mirror in it. */
function configuring(view: WindowState, report: RepositoryReport, mirror: MirrorReport): Entry[] {
  if (mirror.id === 'source') return [];
  const entry = (label: string, deed: MirrorDeed['deed']): Entry => ({
    label,
    run: () => (view.mirrorDeed = { repository: report.repository, mirror: mirror.id, deed }),
  });
  return [
    entry('Edit…', 'edit'),
    entry(mirror.enabled ? 'Disable…' : 'Enable…', 'switch'),
    entry('Test…', 'test'),
    entry('Remove…', 'remove'),
    { label: 'Add another mirror…', run: () => view.showSetup(report.repository) },
  ];
}

function ofMirror(view: WindowState, report: RepositoryReport, mirror: MirrorReport): Entry[] {
  const { repository } = report;
  const told = errors(view, report, mirror);
  const possible = canSync(view, report, mirror);
  const isTarget = !isMaster(report, mirror) && !waitsForHandBack(report, mirror);
  return [
    ...(isTarget
      ? [
          { label: 'Sync now', disabled: !possible, run: () => void view.sync(repository, mirror.id) },
          {
            label: 'Preview',
            disabled: !possible,
            run: () => view.ask({ repository, verb: 'decide', mirror: mirror.id }),
          },
        ]
      : []),
    copying(view, 'Copy address', 'Address', mirror.mirror_url ?? mirror.repo),
    ...(told.length > 0 ? [copying(view, 'Copy error', 'Error', told.join('\n\n'))] : []),
    ...configuring(view, report, mirror),
  ];
}

/** The entries for what was pointed at; none where there is nothing to offer. `selected` is the text that is selected. */
export function entriesFor(view: WindowState, target: Element, selected: string): Entry[] {
  const id = target.closest<HTMLElement>('[data-mirror]')?.dataset['mirror'];
  const report = view.selected;
  const mirror = report?.mirrors.find((one) => one.id === id);
  return [
    ...(selected === '' ? [] : [copying(view, 'Copy', 'Text', selected)]),
    ...(report && mirror ? ofMirror(view, report, mirror) : []),
  ];
}
