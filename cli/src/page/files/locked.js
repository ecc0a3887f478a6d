// A link from another site opens without the cookie, which browsers only send with requests of this site. If this browser has
// the cookie, go on to where the link points.

const { ok } = await fetch('/_inspect').catch(() => ({ ok: false }));
if (ok) location.replace(`/_inspect?from=link${location.hash}`);
