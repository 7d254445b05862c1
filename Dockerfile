# One image for the backend and the workers. Build: docker compose build
# No system package is needed: torch and scikit-learn bring their libgomp, and the headless OpenCV needs no libGL.
FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY requirements/running.txt requirements/torch.txt requirements/
RUN pip install --no-deps --require-hashes -r requirements/running.txt && pip install -r requirements/torch.txt
# .dockerignore lets through the packages and what describes them, and nothing else.
COPY . .
RUN pip install --no-deps --no-build-isolation .
RUN useradd --create-home --uid 1000 tagloom && mkdir /data && chown tagloom /data
USER tagloom
WORKDIR /data
# Weights that `tagloom encoders fetch` downloads outlive the container, too.
ENV TAGLOOM_HOME=/data TORCH_HOME=/data/weights/torch HF_HOME=/data/weights/huggingface RQ_CONFIG=worker.rq_settings
VOLUME /data
EXPOSE 9090
CMD ["tagloom", "serve"]
