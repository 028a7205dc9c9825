// Windows with more than one repository.

import { ago, FakeBackend, failed, mirror, overview, repository, waits } from './fake';

export const several = (): FakeBackend =>
  new FakeBackend(
    overview([
      repository([mirror()], { repository: 'ada.blog', master: 'ada/blog' }),
      repository([mirror()], { repository: 'ada.site', master: 'ada/site', standing: waits }),
      repository([mirror()], {
        repository: 'ada.orchestrator',
        master: 'ada/orchestrator',
        standing: {
          ...failed,
          reason: 'HTTP 503.',
          since_iso: ago(720),
          actions: [{ verb: 'health', label: 'Check again', command: 'standin health' }],
        },
      }),
    ]),
  );

/** So many that nobody reads them all. */
export const many = (): FakeBackend =>
  new FakeBackend(
    overview(Array.from({ length: 12 }, (_, at) => repository([mirror()], { repository: `site-${at}` }))),
  );
