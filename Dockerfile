# One image for the backend and the workers. Build: docker compose build
FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# libgomp: torch and scikit-learn; libgl and glib: the picture reader's OpenCV.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements/ requirements/
RUN pip install --no-deps --require-hashes -r requirements/lock.txt && pip install -r requirements/torch.txt
COPY . .
RUN pip install --no-deps --no-build-isolation -e . \
    && useradd --create-home --uid 1000 tagloom && mkdir /data && chown tagloom /data
USER tagloom
ENV TAGLOOM_HOME=/data
VOLUME /data
EXPOSE 9090
CMD ["tagloom", "serve"]
