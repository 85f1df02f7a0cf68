import { describe, expect, it } from 'vitest';
import { candidatesOf } from '../../src/embedded/candidates.ts';
import { compareVersions, hasProfileFor } from '../../src/embedded/programs.ts';

describe('candidatesOf', () => {
  it('looks at PATH and the system folders, then Docker, then the packages', () => {
    const candidates = candidatesOf('redis', { PATH: '/a:/usr/sbin:relative' });
    expect(candidates).toEqual([
      ...['/a', '/usr/sbin', '/usr/local/sbin', '/usr/libexec'].flatMap((folder) => [
        { source: 'path', path: `${folder}/redis-server` },
      ]),
      ...['/a', '/usr/sbin', '/usr/local/sbin', '/usr/libexec'].flatMap((folder) => [
        { source: 'path', path: `${folder}/valkey-server` },
      ]),
      { source: 'docker', image: 'redis:8-alpine' },
      { source: 'packages', packageName: 'redis-tools' },
    ]);
  });

  it('takes a program named by the environment and nothing else', () => {
    expect(candidatesOf('mysql', { PATH: '/a', MYSQLD: '/x/mysqld' })).toEqual([
      { source: 'variable', variable: 'MYSQLD', path: '/x/mysqld' },
    ]);
  });

  it('treats an empty variable as unset', () => {
    expect(candidatesOf('mysql', { MYSQLD: '' })[0]).toEqual({
      source: 'path',
      path: '/usr/sbin/mariadbd',
    });
  });

  it('can be restricted to Docker, whatever the environment names', () => {
    expect(candidatesOf('mysql', { PATH: '/a', MYSQLD: '/x/mysqld' }, ['docker'])).toEqual([
      { source: 'docker', image: 'mysql:9.7' },
    ]);
  });
});

describe('compareVersions', () => {
  it('compares numbers, not text', () => {
    expect(compareVersions('10.11.2', '10.9.30')).toBeGreaterThan(0);
    expect(compareVersions('7.0.15', '7.2.0')).toBeLessThan(0);
    expect(compareVersions('8', '8.0')).toBe(0);
  });
});

describe('hasProfileFor', () => {
  it('finds an AppArmor profile of a program', () => {
    expect(hasProfileFor('/usr/sbin/mysqld', 'include <x>\n/usr/sbin/mysqld {\n  r,\n}\n')).toBe(
      true,
    );
    expect(hasProfileFor('/usr/sbin/mysqld', 'profile mysqld /usr/sbin/mysqld {\n}\n')).toBe(true);
  });

  it('is not misled by a profile of comments', () => {
    expect(hasProfileFor('/usr/sbin/mariadbd', '# /usr/sbin/mariadbd {\n# }\n')).toBe(false);
  });
});
