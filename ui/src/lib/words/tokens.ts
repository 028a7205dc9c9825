// The places of a repository that need a token: its source, and each mirror that is reached over the web.

import type { RepositoryReport } from '../bindings/RepositoryReport';

export interface TokenPlace {
  /** The mirror, or null for the source. */
  mirror: string | null;
  title: string;
  target: string;
}

export function tokenPlaces(report: RepositoryReport): TokenPlace[] {
  const mirrors = report.mirrors.filter((mirror) => {
    const target = mirror.mirror_url ?? mirror.repo;
    const isSlug = /^[\w.-]+\/[\w.-]/.test(target);
    return mirror.type === 'github' || /^https?:/.test(target) || (mirror.type === 'pull' && isSlug);
  });
  return [
    { mirror: null, title: 'Source', target: report.self_role === 'MASTER' ? report.master : report.repository },
    ...mirrors.map((mirror) => ({ mirror: mirror.id, title: mirror.id, target: mirror.mirror_url ?? mirror.repo })),
  ];
}
