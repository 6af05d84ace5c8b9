BEGIN TRANSACTION;
CREATE TABLE feedback (
	id INTEGER NOT NULL,
	at_us BIGINT NOT NULL,
	use_case TEXT NOT NULL,
	request_id TEXT,
	"row" BIGINT NOT NULL,
	text TEXT,
	label TEXT NOT NULL,
	who TEXT NOT NULL,
	taken BOOLEAN DEFAULT 0 NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "feedback" VALUES(1,1728043203000000,'inbox','r1',0,NULL,'refund','ana',0);
CREATE TABLE log_version (
	version INTEGER NOT NULL
);
INSERT INTO "log_version" VALUES(1);
CREATE TABLE prediction (
	id INTEGER NOT NULL,
	at_us BIGINT NOT NULL,
	use_case TEXT NOT NULL,
	version TEXT,
	route VARCHAR(16) NOT NULL,
	request_id TEXT NOT NULL,
	"row" BIGINT NOT NULL,
	client TEXT NOT NULL,
	text TEXT,
	text_hash TEXT,
	answer TEXT,
	confidence FLOAT,
	likeliest TEXT NOT NULL,
	embedding BLOB,
	novelty FLOAT,
	unknown_share FLOAT,
	tokens BIGINT,
	latency_ms FLOAT,
	usd FLOAT,
	metadata TEXT NOT NULL,
	slices TEXT NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "prediction" VALUES(1,1728043201000000,'inbox','3','model','r1',0,'','text 1',NULL,'billing',NULL,'[]',NULL,NULL,NULL,NULL,1.5,0.0,'{}','{}');
INSERT INTO "prediction" VALUES(2,1728043202000000,'inbox','3','model','r2',0,'','text 2',NULL,'billing',NULL,'[]',NULL,NULL,NULL,NULL,1.5,0.0,'{}','{}');
CREATE TABLE segment (
	name TEXT NOT NULL,
	moved_bytes BIGINT NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE tally (
	use_case TEXT NOT NULL,
	day INTEGER NOT NULL,
	what VARCHAR(16) NOT NULL,
	rows BIGINT NOT NULL,
	PRIMARY KEY (use_case, day, what)
);
INSERT INTO "tally" VALUES('inbox',20000,'stored',2);
CREATE INDEX prediction_by_time ON prediction (use_case, at_us, id);
CREATE INDEX prediction_by_request ON prediction (request_id);
CREATE INDEX feedback_by_time ON feedback (use_case, at_us);
COMMIT;
