// The status of a user's cache with fastify: a process a core, a token that is checked, ioredis with
// automatic pipelines.
'use strict';
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork();
} else {
  const fastify = require('fastify')();
  const Redis = require('ioredis');
  const where = process.env.REDIS;
  const redis = new Redis({
    ...(where.startsWith('/') ? { path: where } : { host: '127.0.0.1', port: Number(where) }),
    enableAutoPipelining: true,
  });

  // Tokens that were good a moment ago are remembered, as ours are.
  fastify.register(require('@fastify/jwt'), {
    secret: process.env.SECRET,
    verify: { cache: 1000, cacheTTL: 60000 },
  });
  fastify.get('/api/cache/status/', async (request, reply) => {
    let claims;
    try {
      claims = await request.jwtVerify();
    } catch {
      return reply.code(401).send({ detail: 'Authentication credentials were not provided.' });
    }
    const [version, off, epoch] = await Promise.all([
      redis.get(`cw:{u:${claims.user_id}}:v`),
      redis.get(`cw:{u:${claims.user_id}}:off`),
      redis.get('cw:epoch'),
    ]);
    return {
      enabled: off === null,
      version: Number(version ?? 1) + Number(epoch ?? 0),
      message: off === null ? 'Cache is enabled' : 'Cache is disabled',
    };
  });
  fastify.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
}
