# Varnish (7 and newer) in front of an application of yours, with a cache that Cachewarden clears: it asks before each
# request who it is and which version their cache has. Both are in the hash, so that a clear is in force with the next
# request, and no user sees another's answers.
#
# A question is a request of its own that is passed to Cachewarden; its answer restarts the client's. Tell Cachewarden
# that Varnish is its proxy: server.trusted_proxies = [ "127.0.0.1" ].
vcl 4.1;

import std;

backend cachewarden {
	.host = "127.0.0.1";
	.port = "8000";
	.connect_timeout = 1s;
	# An answer takes 850 ms at most with the timeouts of Redis as they are set by default.
	.first_byte_timeout = 1s;
}

backend application {
	.host = "127.0.0.1";
	.port = "9000";
}

sub vcl_recv {
	if (req.restarts == 0) {
		# What a client writes into these is not true.
		unset req.http.X-User-Id;
		unset req.http.X-Cache-Version;
		unset req.http.X-Cache-Enabled;
		unset req.http.X-Session;
		unset req.http.X-Forwarded-Host;
		unset req.http.Forwarded;
		# The body waits here until it is known whose it is.
		if (!std.cache_req_body(10MB)) {
			return (synth(413));
		}
		# The question. It is a GET, whatever it is asked for.
		set req.http.X-Asked-Method = req.method;
		set req.http.X-Asked-Url = req.url;
		set req.method = "GET";
		set req.url = "/api/cache/check/";
		set req.backend_hint = cachewarden;
		return (pass);
	}
	set req.method = req.http.X-Asked-Method;
	set req.url = req.http.X-Asked-Url;
	unset req.http.X-Asked-Method;
	unset req.http.X-Asked-Url;
	set req.backend_hint = application;
	# Without a version, or where the user has switched it off, nothing is kept and nothing kept is used.
	if ((req.method != "GET" && req.method != "HEAD") ||
	    req.http.X-Cache-Enabled != "true" || !req.http.X-User-Id) {
		return (pass);
	}
	# A credential does not keep an answer from being kept: the user is in the hash.
	return (hash);
}

sub vcl_hash {
	hash_data(req.http.X-User-Id);
	hash_data(req.http.X-Cache-Version);
	# URL and host follow.
}

sub vcl_backend_fetch {
	# These are ours.
	unset bereq.http.X-Session;
	unset bereq.http.X-Asked-Method;
	unset bereq.http.X-Asked-Url;
}

sub vcl_backend_response {
	# How long an answer is good, the application says.
	if (!beresp.http.Cache-Control && !beresp.http.Expires) {
		set beresp.ttl = 0s;
	}
	set beresp.grace = 0s;
}

sub vcl_deliver {
	if (req.restarts == 0) {
		if (resp.status == 401 || resp.status == 403) {
			return (deliver);
		}
		# Any other answer but 204 is none: the application is asked without a user.
		set req.http.X-Cache-Enabled = "false";
		# A field that is not there would be set to nothing.
		if (resp.status == 204 && resp.http.X-User-Id) {
			set req.http.X-User-Id = resp.http.X-User-Id;
		}
		if (resp.status == 204 && resp.http.X-Cache-Version) {
			set req.http.X-Cache-Version = resp.http.X-Cache-Version;
			set req.http.X-Cache-Enabled = resp.http.X-Cache-Enabled;
		}
		if (resp.status == 204 && resp.http.Set-Cookie) {
			# A session is kept alive by its cookie.
			set req.http.X-Session = resp.http.Set-Cookie;
		}
		return (restart);
	}
	if (req.http.X-Cache-Version) {
		set resp.http.X-Cache-Version = req.http.X-Cache-Version;
	}
	set resp.http.X-Cache-Enabled = req.http.X-Cache-Enabled;
	if (req.http.X-Session && !resp.http.Set-Cookie) {
		set resp.http.Set-Cookie = req.http.X-Session;
	}
	if (obj.hits > 0) {
		set resp.http.X-Cache = "HIT";
	} else {
		set resp.http.X-Cache = "MISS";
	}
}
