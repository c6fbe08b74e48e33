// What `gitlab_repository` decides, as pure functions: settings and source paths in, URLs and listings out.
// Nothing here knows WebAssembly, so `node --test` runs it as it is.

const text = { type: 'string', minLength: 1 };

export const description = {
  id: 'gitlab_repository',
  title: 'Files of a GitLab repository',
  version: '0.1.0',
  summary: 'Reads and lists files of one GitLab project, at one branch, tag or commit, with an access token. Files in LFS included.',
  // JSON Schema 2020-12: forms are drawn from it, requests are checked with it. A secret is marked `writeOnly`.
  settings: {
    type: 'object',
    additionalProperties: false,
    required: ['hostname', 'project_id', 'access_token'],
    properties: {
      hostname: {
        ...text, title: 'Host name', maxLength: 253, pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\\.?$',
        description: "GitLab's name, such as gitlab.com, without scheme, port or path.",
      },
      port: { type: 'integer', title: 'Port', minimum: 1, maximum: 65535, description: '443 unless given.' },
      project_id: {
        ...text, title: 'Project id', maxLength: 15, pattern: '^[1-9][0-9]*$',
        description: 'The number below the name on the project\'s page.',
      },
      ref: {
        ...text, title: 'Branch, tag or commit', maxLength: 255, pattern: '^[A-Za-z0-9._/@+-]+$',
        description: 'The default branch unless given. A commit never changes.',
      },
      access_token: {
        ...text, title: 'Access token', maxLength: 1024, pattern: '^[!-~]+$', writeOnly: true,
        description: 'A project access token with role Reporter and scope read_api. Stored encrypted; this plugin never sees it.',
      },
    },
  },
  source_schemes: ['gitlab'],
  // Expanded by the gateway from the settings: where a connection may go, whatever is planned below.
  egress: ['https://{settings.hostname}:{settings.port}/api/v4/projects/{settings.project_id}'],
  capabilities: ['http'],
};

/** Why a source path, or the remote, was refused: the contract's `error`. */
export const refused = (kind, code, message) => ({ kind, code, message });

/** Settings in one spelling, or the fields that are wrong. The gateway checks the schema first; this function believes nobody either. */
export function normalize(given) {
  const wrong = [];
  const check = (name, fits, message) => fits || wrong.push({ pointer: `/${name}`, message });
  const normal = {};
  if (given === null || typeof given !== 'object' || Array.isArray(given)) return { wrong: [{ pointer: '', message: 'settings are an object' }] };
  const { hostname, port, project_id, ref, ...others } = given;
  normal.hostname = typeof hostname === 'string' ? hostname.replace(/\.$/, '').toLowerCase() : '';
  check('hostname', isHostname(normal.hostname), "a host name is labels of letters, digits and '-', joined by dots: no scheme, port or path");
  if (port !== undefined) normal.port = port;
  check('port', port === undefined || (Number.isInteger(port) && port >= 1 && port <= 65535), 'a port is a number from 1 to 65535');
  normal.project_id = project_id;
  check('project_id', typeof project_id === 'string' && /^[1-9][0-9]{0,14}$/.test(project_id), 'a project id is a number, such as 278964');
  if (ref !== undefined) normal.ref = ref;
  check('ref', ref === undefined || (typeof ref === 'string' && /^[A-Za-z0-9._/@+-]{1,255}$/.test(ref)), 'a branch, tag or commit');
  if (Object.keys(others).length > 0) wrong.push({ pointer: '', message: 'there is a setting that this connector does not know' });
  return wrong.length > 0 ? { wrong } : { normal };
}

function isHostname(name) {
  const labels = name.split('.');
  const last = labels[labels.length - 1];
  // Some parsers take a name whose last label is a number for an address.
  if (/^([0-9]+|0x.*)$/.test(last)) return /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(name) && !/(^|\.)0\d/.test(name);
  return name.length <= 253 && labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
}

const project = ({ hostname, port, project_id }) =>
  `https://${hostname}${port === undefined || port === 443 ? '' : `:${port}`}/api/v4/projects/${project_id}`;

const query = (parameters) =>
  Object.entries(parameters).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');

/** A path in the repository: `images/cat.jpg`, or `gitlab://<project id>/images/cat.jpg`. As git has it: not percent-encoded. */
function pathOf(settings, source, isFolder) {
  let path = source;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(source);
  if (scheme) {
    if (scheme[1].toLowerCase() !== 'gitlab') throw refused('invalid', 'unsupported_uri_scheme', 'a source path here is a path in the repository, or gitlab://<project id>/<path>');
    const [id, ...rest] = source.slice(scheme[0].length).split('/');
    if (id !== settings.project_id) throw refused('denied', 'scope_violation', 'the source path is in another project than this connection');
    path = rest.join('/');
  }
  if (isFolder) path = path.replace(/\/$/, '');
  if (path === '' && isFolder) return path;
  // A server may take a backslash for a slash.
  if (path.split('/').includes('') || path.split(/[/\\]/).some((segment) => segment === '.' || segment === '..')) {
    throw refused('invalid', 'unsupported_key', "a path in a repository has no empty, '.' and '..' segments");
  }
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(path)) throw refused('invalid', 'unsupported_key', 'a path here has no control characters');
  return path;
}

/** Where the file is: GitLab's API takes the whole path as one escaped segment. */
export function fileUrl(settings, source) {
  const path = encodeURIComponent(pathOf(settings, source, false));
  return `${project(settings)}/repository/files/${path}/raw?${query({ ref: settings.ref ?? 'HEAD', lfs: 'true' })}`;
}

/** What a check without a test location asks for: the list of files, which needs the same right. */
export const rootUrl = (settings) => `${project(settings)}/repository/tree?${query({ ref: settings.ref, per_page: 1 })}`;

/** GitLab counts pages by their size, so the size is part of the cursor. */
export function treeUrl(settings, prefix, cursor, limit) {
  const [, page, size] = /^([1-9][0-9]{0,5})x([1-9][0-9]?|100)$/.exec(cursor ?? `1x${Math.min(limit, 100)}`) ?? [];
  if (page === undefined || Number(size) > limit) throw refused('invalid', 'invalid_cursor', 'the cursor is not one that this connector made for this page size');
  const path = pathOf(settings, prefix, true);
  const url = `${project(settings)}/repository/tree?${query({ ref: settings.ref, path: path || undefined, per_page: size, page })}`;
  return { url, page: Number(page), size: Number(size) };
}

/** A page of GitLab's answer: files and folders, and where the next one begins. */
export function listing(settings, document, { page, size }) {
  const broken = () => refused('rejected', 'unexpected_answer', 'GitLab answered something else than a list of files');
  let found;
  try {
    found = JSON.parse(document);
  } catch {
    throw broken();
  }
  if (!Array.isArray(found) || found.length > size || !found.every((one) => typeof one?.path === 'string')) throw broken();
  const source = ({ path }) => `gitlab://${settings.project_id}/${path}`;
  return {
    entries: found.filter(({ type }) => type === 'blob').map((one) => ({ path: source(one), etag: one.id })),
    prefixes: found.filter(({ type }) => type === 'tree').map((one) => `${source(one)}/`),
    next: found.length === size ? `${page + 1}x${size}` : undefined,
  };
}
