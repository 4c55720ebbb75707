CREATE TABLE IF NOT EXISTS "dim_date" (
    "date_key" INTEGER ENCODE raw NOT NULL,
    "day" DATE ENCODE az64 NOT NULL,
    "year" INTEGER ENCODE az64 NOT NULL,
    "quarter" INTEGER ENCODE az64 NOT NULL,
    "month" INTEGER ENCODE az64 NOT NULL,
    "day_of_month" INTEGER ENCODE az64 NOT NULL,
    "iso_year" INTEGER ENCODE az64 NOT NULL,
    "iso_week" INTEGER ENCODE az64 NOT NULL,
    "weekday" INTEGER ENCODE az64 NOT NULL,
    "is_weekend" BOOLEAN ENCODE zstd NOT NULL,
    PRIMARY KEY ("date_key")
)
DISTSTYLE ALL
COMPOUND SORTKEY ("date_key");
