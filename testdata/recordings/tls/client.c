// A TLS client that plays a script of MQTT bytes and logs its keys.
//
//	client [options] step...
//
//	-p PORT   -v VERSION (0 plain, 11, 12, 13)   -k KEYLOG (appended)
//	-c CIPHERS (up to TLS 1.2)   -s SUITES (TLS 1.3)   -g GROUPS   -a CAFILE
//	-C CERTIFICATE -K KEY   -i SESSION, -o SESSION (resume from, save to)
//	-E no encrypt-then-MAC   -T no tickets   -P N pad TLS 1.3 records to N
//	-H HEX the pre-shared key of the identity "device"
//
//	steps: HEX      write these bytes, one record
//	       early:HEX 0-RTT data; written again behind the handshake if refused
//	       r        read one MQTT packet
//	       u, U     KeyUpdate; U asks the server for its own
//	       last:HEX write, close_notify and FIN in one go, then read to the end
//	       w        read to the end, then close
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fd;
static SSL *ssl; // NULL in a plain conversation
static const char *keylog, *save, *psk;

static void die(const char *what) {
	fprintf(stderr, "client: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void log_key(const SSL *s, const char *line) {
	(void)s;
	FILE *f = fopen(keylog, "a");
	if (!f || fprintf(f, "%s\n", line) < 0 || fclose(f)) die("key log");
}

static int save_session(SSL *s, SSL_SESSION *session) {
	(void)s;
	FILE *f = fopen(save, "w");
	if (!f || !PEM_write_SSL_SESSION(f, session) || fclose(f)) die("session file");
	return 0;
}

static int unhex(const char *hex, unsigned char *out) {
	int n = 0;
	for (; hex[0] && hex[1]; hex += 2) {
		unsigned v;
		if (n == 4096 || sscanf(hex, "%2x", &v) != 1) die("bad hex");
		out[n++] = (unsigned char)v;
	}
	return n;
}

static unsigned use_psk(SSL *s, const char *hint, char *id, unsigned idlen, unsigned char *key, unsigned keylen) {
	(void)s, (void)hint, (void)keylen;
	snprintf(id, idlen, "device");
	return (unsigned)unhex(psk, key);
}

static void put(const unsigned char *b, int n) {
	if ((ssl ? SSL_write(ssl, b, n) : (int)write(fd, b, n)) != n) die("write");
}

static int get(unsigned char *b) { return ssl ? SSL_read(ssl, b, 1) : (int)read(fd, b, 1); }

static void get_packet(void) {
	unsigned char b;
	int left = 0, shift = 0;
	if (get(&b) != 1) die("no packet");
	do {
		if (get(&b) != 1) die("no length");
		left |= (b & 127) << shift, shift += 7;
	} while (b & 128);
	while (left--)
		if (get(&b) != 1) die("packet cut");
}

int main(int argc, char **argv) {
	unsigned char buf[4096], early[4096];
	int opt, port = 8883, version = 13, nearly = 0, n, one = 1;
	const char *resume = NULL;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
	while ((opt = getopt(argc, argv, "p:v:k:c:s:g:a:C:K:i:o:ETP:H:")) != -1) {
		int ok = 1;
		if (opt == 'p') port = atoi(optarg);
		else if (opt == 'v') version = atoi(optarg);
		else if (opt == 'k') keylog = optarg, SSL_CTX_set_keylog_callback(ctx, log_key);
		else if (opt == 'c') ok = SSL_CTX_set_cipher_list(ctx, optarg);
		else if (opt == 's') ok = SSL_CTX_set_ciphersuites(ctx, optarg);
		else if (opt == 'g') ok = SSL_CTX_set1_groups_list(ctx, optarg);
		else if (opt == 'a') ok = SSL_CTX_load_verify_locations(ctx, optarg, NULL), SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		else if (opt == 'C') ok = SSL_CTX_use_certificate_file(ctx, optarg, SSL_FILETYPE_PEM);
		else if (opt == 'K') ok = SSL_CTX_use_PrivateKey_file(ctx, optarg, SSL_FILETYPE_PEM);
		else if (opt == 'i') resume = optarg;
		else if (opt == 'o') save = optarg, SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT), SSL_CTX_sess_set_new_cb(ctx, save_session);
		else if (opt == 'E') SSL_CTX_set_options(ctx, SSL_OP_NO_ENCRYPT_THEN_MAC);
		else if (opt == 'T') SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		else if (opt == 'P') ok = SSL_CTX_set_block_padding(ctx, (size_t)atoi(optarg));
		else if (opt == 'H') psk = optarg, SSL_CTX_set_psk_client_callback(ctx, use_psk);
		else ok = 0;
		if (!ok) die("bad option");
	}
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	argv += optind;
	if (version) {
		int wire = version == 11 ? TLS1_1_VERSION : version == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;
		SSL_CTX_set_min_proto_version(ctx, wire), SSL_CTX_set_max_proto_version(ctx, wire);
		ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fd), SSL_set_tlsext_host_name(ssl, "broker.example");
		FILE *f = resume ? fopen(resume, "r") : NULL;
		SSL_SESSION *old = f ? PEM_read_SSL_SESSION(f, NULL, NULL, NULL) : NULL;
		if (resume && (!old || !SSL_set_session(ssl, old))) die("session file");
		if (*argv && !strncmp(*argv, "early:", 6)) {
			size_t done;
			nearly = unhex(*argv++ + 6, early);
			if (!SSL_write_early_data(ssl, early, (size_t)nearly, &done)) die("early data");
		}
		if (SSL_connect(ssl) != 1) die("handshake");
		if (nearly && SSL_get_early_data_status(ssl) != SSL_EARLY_DATA_ACCEPTED) put(early, nearly);
	}
	for (; *argv; argv++) {
		if (!strcmp(*argv, "r")) get_packet();
		else if (!strcmp(*argv, "u")) SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), SSL_do_handshake(ssl);
		else if (!strcmp(*argv, "U")) SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), SSL_do_handshake(ssl);
		else if (!strcmp(*argv, "w")) { while (get(buf) == 1); }
		else if (!strncmp(*argv, "last:", 5)) {
			setsockopt(fd, IPPROTO_TCP, TCP_CORK, &one, sizeof one);
			put(buf, unhex(*argv + 5, buf));
			if (ssl) SSL_shutdown(ssl);
			shutdown(fd, SHUT_WR);
			while (read(fd, buf, sizeof buf) > 0);
		} else n = unhex(*argv, buf), put(buf, n);
	}
	close(fd);
	return 0;
}
